"""The official clients read a fixed answer of each API, whole and streamed."""

import json

import anthropic
import httpx2
import openai
import pytest

from srd.body.shapes import Api
from srd.plugins.answers import ANSWERS

MESSAGE = "Not “here”\nnor there."
NOW = 1700000000
ASKED = [{"role": "user", "content": "?"}]


def transport(api, *, streaming):
    """A server whose every answer is ours."""
    answer = ANSWERS[api]
    body = (answer.events if streaming else answer.whole)(MESSAGE, NOW)
    kind = "text/event-stream" if streaming else "application/json"

    def reply(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": kind}, content=body)

    return httpx2.Client(transport=httpx2.MockTransport(reply))


@pytest.fixture
def openai_client():
    made = []

    def build(api, *, streaming):
        made.append(
            openai.OpenAI(
                api_key="none",
                base_url="http://srd.test/v1",
                http_client=transport(api, streaming=streaming),
                max_retries=0,
                _strict_response_validation=True,
            )
        )
        return made[-1]

    yield build
    for client in made:
        client.close()


@pytest.fixture
def anthropic_client():
    made = []

    def build(*, streaming):
        made.append(
            anthropic.Anthropic(
                api_key="none",
                base_url="http://srd.test",
                http_client=transport(Api.ANTHROPIC, streaming=streaming),
                max_retries=0,
                _strict_response_validation=True,
            )
        )
        return made[-1]

    yield build
    for client in made:
        client.close()


# -- chat completions


def test_the_openai_client_reads_a_whole_chat_completion(openai_client):
    client = openai_client(Api.CHAT, streaming=False)
    answer = client.chat.completions.create(model="auto", messages=ASKED)
    assert answer.choices[0].message.content == MESSAGE
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 0
    assert (answer.model, answer.created) == ("router", NOW)


def test_the_openai_client_reads_a_streamed_chat_completion(openai_client):
    client = openai_client(Api.CHAT, streaming=True)
    chunks = list(client.chat.completions.create(model="auto", messages=ASKED, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == MESSAGE
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, "stop"]


def test_the_openai_clients_own_accumulator_ends_with_the_message(openai_client):
    client = openai_client(Api.CHAT, streaming=True)
    with client.chat.completions.stream(model="auto", messages=ASKED) as stream:
        stream.until_done()
        final = stream.get_final_completion()
    assert final.choices[0].message.content == MESSAGE


def test_a_chat_completion_is_exactly_upstreams():
    assert json.loads(ANSWERS[Api.CHAT].whole(MESSAGE, NOW)) == {
        "id": "chatcmpl-fast-1700000000",
        "object": "chat.completion",
        "created": NOW,
        "model": "router",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": MESSAGE},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


# -- completions


def test_the_openai_client_reads_a_whole_completion(openai_client):
    client = openai_client(Api.COMPLETIONS, streaming=False)
    answer = client.completions.create(model="auto", prompt="?")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (MESSAGE, "stop")
    assert (answer.object, answer.usage.total_tokens) == ("text_completion", 0)


def test_the_openai_client_reads_a_streamed_completion():
    # Not validated strictly: the client's type has no finish_reason of null, its own API sends it.
    client = openai.OpenAI(
        api_key="none",
        base_url="http://srd.test/v1",
        http_client=transport(Api.COMPLETIONS, streaming=True),
        max_retries=0,
    )
    with client:
        chunks = list(client.completions.create(model="auto", prompt="?", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == MESSAGE
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, "stop"]
    assert {chunk.object for chunk in chunks} == {"text_completion"}


@pytest.mark.parametrize("api", [Api.CHAT, Api.COMPLETIONS])
def test_streams_of_completions_end_with_done_and_name_no_events(api):
    frames = ANSWERS[api].events(MESSAGE, NOW).decode("ascii").split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert all(frame.startswith("data: ") for frame in frames[:-1])


# -- Responses


def test_the_openai_client_reads_a_whole_response(openai_client):
    client = openai_client(Api.RESPONSES, streaming=False)
    answer = client.responses.create(model="auto", input="?")
    assert answer.output_text == MESSAGE
    assert (answer.status, answer.usage.total_tokens) == ("completed", 0)
    assert answer.output[0].role == "assistant"


def test_the_openai_client_reads_a_streamed_response(openai_client):
    client = openai_client(Api.RESPONSES, streaming=True)
    events = list(client.responses.create(model="auto", input="?", stream=True))
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(9))
    assert events[4].delta == events[5].text == MESSAGE
    assert events[0].response.status == "in_progress"
    assert events[-1].response.output_text == MESSAGE
    assert len({event.item_id for event in events[3:7]} | {events[2].item.id}) == 1


def test_the_openai_clients_own_accumulator_ends_with_the_response(openai_client):
    client = openai_client(Api.RESPONSES, streaming=True)
    with client.responses.stream(model="auto", input="?") as stream:
        stream.until_done()
        assert stream.get_final_response().output_text == MESSAGE


# -- Messages


def test_the_anthropic_client_reads_a_whole_message(anthropic_client):
    client = anthropic_client(streaming=False)
    answer = client.messages.create(model="auto", max_tokens=5, messages=ASKED)
    assert [block.text for block in answer.content] == [MESSAGE]
    assert (answer.stop_reason, answer.role, answer.model) == ("end_turn", "assistant", "router")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (0, 0)


def test_the_anthropic_client_reads_a_streamed_message(anthropic_client):
    client = anthropic_client(streaming=True)
    events = list(client.messages.create(model="auto", max_tokens=5, messages=ASKED, stream=True))
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[2].delta.text == MESSAGE


def test_the_anthropic_clients_own_accumulator_ends_with_the_message(anthropic_client):
    client = anthropic_client(streaming=True)
    with client.messages.stream(model="auto", max_tokens=5, messages=ASKED) as stream:
        final = stream.get_final_message()
    assert (final.content[0].text, final.stop_reason) == (MESSAGE, "end_turn")


@pytest.mark.parametrize("api", [Api.RESPONSES, Api.ANTHROPIC])
def test_every_event_is_named_by_its_type(api):
    frames = ANSWERS[api].events(MESSAGE, NOW).decode("ascii").split("\n\n")
    assert frames.pop() == ""
    for frame in frames:
        name, data = frame.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == name.removeprefix("event: ")


@pytest.mark.parametrize("api", Api)
def test_every_answer_is_ascii_whatever_the_text(api):
    for render in (ANSWERS[api].whole, ANSWERS[api].events):
        assert render('quote " newline \n emoji 🙂 lone \ud800', NOW).isascii()
