"""One stream's driver without sockets: time, failures and the order of replies."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest
from grpclib.const import Status
from memorystream import MemoryStream
from playbook import PLAIN, label_scores, policy_of

from srd.daemon.service import Service
from srd.daemon.stream import StreamDriver
from srd.wire.messages import BodyMode, Phase, ProtocolConfig
from srd.wire.peer import encode_request

HEADERS = encode_request(
    Phase.REQUEST_HEADERS,
    headers=[
        (":method", b"POST"),
        (":path", b"/v1/chat/completions"),
        ("content-type", b"application/json"),
    ],
    protocol_config=ProtocolConfig(BodyMode.FULL_DUPLEX_STREAMED, BodyMode.NONE),
)
RAW = b'{"model":"auto","messages":[{"role":"user","content":"x^3?"}]}'
BODY = encode_request(Phase.REQUEST_BODY, body=RAW, end_of_stream=True)


class HeldClassifier:
    """A classifier whose answer the test gives."""

    def __init__(self):
        self.future = Future()
        self.asked = asyncio.Event()

    def quick(self, ask):
        return None

    def submit(self, ask):
        self.asked.set()
        return self.future


def play(run_async, script, *messages, **edits):
    async def test():
        stream, classifier = MemoryStream(), HeldClassifier()
        service = Service(policy_of(PLAIN, **edits), classifier)
        for message in messages:
            stream.put(message)
        driver = StreamDriver(service, stream)
        task = asyncio.create_task(driver.run())
        await script(stream, classifier, driver, task)
        assert (service.open_streams, service.held_bytes, service.streams) == (0, 0, {})

    run_async(test())


@pytest.mark.parametrize("eof_first", [False, True])
def test_the_answer_waits_for_the_scores_even_behind_a_half_close(run_async, eof_first):
    async def script(stream, classifier, driver, task):
        await classifier.asked.wait()
        if eof_first:
            stream.put(None)
        assert not stream.sent
        classifier.future.set_result(label_scores("math"))
        stream.put(None)
        await task
        assert stream.upstream == RAW.replace(b"auto", b"math-expert")
        assert driver.record.outcome == "ok"

    play(run_async, script, HEADERS, BODY)


def test_087_a_classifier_that_fails_costs_no_byte(run_async):
    async def script(stream, classifier, driver, task):
        await classifier.asked.wait()
        classifier.future.set_exception(RuntimeError("injected"))
        stream.put(None)
        await task
        assert stream.upstream == RAW.replace(b"auto", b"base-model")
        assert driver.record.runs[0].failure == "classifier_error"

    play(run_async, script, HEADERS, BODY)


def test_090_a_reset_while_asking_ends_quietly_and_drops_the_question(run_async, caplog):
    async def script(stream, classifier, driver, task):
        await classifier.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert classifier.future.cancelled()
        assert driver.record.outcome == "aborted"
        assert not stream.sent
        assert not caplog.records

    play(run_async, script, HEADERS, BODY)


def test_095_an_undecodable_message_is_invalid_argument(run_async):
    async def script(stream, classifier, driver, task):
        await task
        assert stream.ended[0] is Status.INVALID_ARGUMENT
        assert driver.record.outcome == "undecodable"

    play(run_async, script, b"\x12\xff\xff\xff\xff\x0f")


def test_096_a_second_head_breaks_the_protocol(run_async):
    async def script(stream, classifier, driver, task):
        await task
        assert stream.ended[0] is Status.FAILED_PRECONDITION

    play(run_async, script, HEADERS, HEADERS)


@pytest.mark.parametrize("lost", [0, 1], ids=["header reply", "first piece"])
def test_091_a_gateway_that_is_gone_while_we_answer_ends_the_handler_quietly(
    run_async, caplog, lost
):
    async def script(stream, classifier, driver, task):
        write = stream.write

        def lose(message):
            stream.gone = len(stream.sent) == lost
            return write(message)

        stream.write = lose
        await classifier.asked.wait()
        classifier.future.set_exception(RuntimeError("injected"))
        stream.put(None)
        await task
        assert len(stream.sent) == lost

    play(run_async, script, HEADERS, BODY)
    assert not caplog.records
