"""The account of a decision, from what was read and where it stands in the body.

Why this file exists: what an explanation may say of the evidence is gathered in one place, from
values that the decision itself was made on. It must not know rules, scores or renderings, and no
text leaves it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from srd.body.body import Body
from srd.evidence import fold
from srd.evidence.account import Account, Deciding, Said
from srd.evidence.conversation import Conversation, HumanTurn, Part, Spoken, Text, beginning
from srd.evidence.human import Harness, Skipped
from srd.signals.base import Origin, Segment

_EARLIER = "previous_response_id"


def of_turns(
    body: Body,
    said: Conversation,
    *,
    unread: int = 0,
    segments: Sequence[Segment] = (),
    at: int | None = None,
    pins: bool = False,
) -> Account:
    """All turns that count are known: those in front of place `at`, if something binds there.
    `pins`: such state matters."""
    last, bound = said.last, body.prompt.bound
    behind = 0 if at is None else sum(user.place >= at for user in body.prompt.in_turn)
    return Account(
        texts=() if last is None else tuple(_deciding(last.place, part) for part in last.parts),
        turns=tuple(map(_said, said.turns)),
        decides=len(said.turns) - 1 if said.turns else None,
        harness=said.harness,
        unread=unread,
        pinned=bound.kind if bound is not None and at is not None else "",
        behind=behind,
        pin_unknown=pins and _goes_on(body),
        unfiltered=said.unfiltered,
        inspected=_inspected(segments),
    )


def begun(characters: int, unread: int) -> Account:
    """A beginning of so many characters, wherever it stands: equal ones are remembered as one."""
    texts = (Deciding(-1, -1, -1, characters),)
    return Account(texts=texts, early=True, unread=unread)


def placed(account: Account | None, body: Body, harness: Harness, *, pins: bool) -> Account | None:
    """The account of a beginning with its place in this body; any other as it is. Its end is not
    said: whether it is known depends on how the bytes came."""
    if account is None or not account.early:
        return account
    characters = account.texts[0].characters
    messages = body.prompt.spoken()
    part = beginning(harness, messages, more=body.prompt.is_passing).part
    if part is not None:
        place, start = _place(messages, part.source), part.source.start
        skipped = _within(part.skipped, characters)
    elif messages:
        place, start, skipped = messages[0].place, messages[0].texts[0].start, ()
    else:
        return replace(account, texts=(), pin_unknown=pins and _goes_on(body))
    return replace(
        account,
        texts=(Deciding(place, start, -1, characters, skipped),),
        turns=(Said(place, start, -1),),
        decides=0,
        pin_unknown=pins and _goes_on(body),
        unfiltered=part is None,
    )


def told(account: Account, topic: fold.Topic | None, held: int | None = None) -> Account:
    """The account with what the fold said; `held` is the index of the earlier turn that decides the
    subject, None where the last one does."""
    labels = {} if topic is None else {turn: (name, sure) for turn, name, sure in topic.said}
    turns = tuple(
        replace(turn, label=labels[index][0], confidence=labels[index][1])
        if index in labels
        else turn
        for index, turn in enumerate(account.turns)
    )
    if held is None:
        return replace(account, turns=turns)
    said = "held since turn 1: no turn names a subject" if topic is None else fold.told(topic)
    return replace(account, turns=turns, decides=held, held=said)


def _goes_on(body: Body) -> bool:
    earlier = body.params.get(_EARLIER)
    return isinstance(earlier, str) and earlier != ""


def _inspected(segments: Sequence[Segment]) -> tuple[tuple[Origin, int], ...]:
    return tuple(Counter(segment.origin for segment in segments).items())


def _said(turn: HumanTurn) -> Said:
    return Said(turn.place, turn.parts[0].source.start, turn.parts[-1].source.end)


def _deciding(place: int, part: Part) -> Deciding:
    source = part.source
    return Deciding(place, source.start, source.end, len(part.text), part.skipped)


def _place(messages: Sequence[Spoken], source: Text) -> int:
    return next(m.place for m in messages if any(text is source for text in m.texts))


def _within(skipped: Sequence[Skipped], characters: int) -> tuple[Skipped, ...]:
    """What was skipped on the way to so many characters that were kept."""
    found: list[Skipped] = []
    gone = 0
    for each in skipped:
        if each.start - gone >= characters:
            break
        found.append(each)
        gone += each.end - each.start
    return tuple(found)
