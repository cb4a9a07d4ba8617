"""What callers were answered must be what the tables say, of each command once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands.message import Answer, CommandRequest
from metacortex.events.record import EventRecord
from tests.integration import laws
from tests.integration.crowd import Crowd, Sent

K = TypeVar("K")

REFUSALS = {"not_found", "version_conflict", "name_taken", "idempotency_key_reused"}
RECEIPT = (
    "type fingerprint actor_type actor_id outcome stream_type stream_id version"
    " first_sequence last_sequence correlation_id request_id"
).split()


async def check(engine: AsyncEngine, crowd: Crowd) -> None:
    """Assert that log, states, receipts and answers of a crowd agree."""
    by_space = _grouped((it.unit.workspace_id, it) for it in crowd.sent)
    assert by_space.keys() == set(crowd.spaces)
    for space, sent in by_space.items():
        await laws.check(engine, space)
        found = await laws.records(engine, space)
        kept = await laws.receipts(engine, space)
        for request, answer in _answers(sent):
            _check_answer(request, answer, found, kept)
        _check_once(sent, kept)
        _check_refusals(sent, kept)
        await _check_names(engine, space)
        for its in _grouped((it.caller, it) for it in sent).values():
            _check_order(its)
    assert {error.code for it in crowd.sent for _, error in it.refusals} == REFUSALS
    assert any(answer.replayed for _, answer in _answers(crowd.sent))
    assert crowd.watched


def _grouped(pairs: Iterable[tuple[K, Sent]]) -> Mapping[K, list[Sent]]:
    groups = defaultdict[K, list[Sent]](list)
    for key, sent in pairs:
        groups[key].append(sent)
    return groups


def _answers(sent: Iterable[Sent]) -> list[tuple[CommandRequest, Answer]]:
    return [pair for it in sent for pair in it.answers]


def _check_answer(
    request: CommandRequest,
    answer: Answer,
    found: Sequence[EventRecord],
    kept: Mapping[UUID, RowMapping],
) -> None:
    """An answer tells what receipt, log and state of then are."""
    receipt = kept[request.context.command_id]
    assert {name: getattr(answer.receipt, name) for name in RECEIPT} == {
        name: receipt[name] for name in RECEIPT
    }
    first, last = receipt["first_sequence"] or 1, receipt["last_sequence"] or 0
    own = found[first - 1 : last]
    for event, record in zip(answer.events, own, strict=True):
        for name in ("type", "version", "sequence", "stream_type", "stream_id"):
            assert getattr(event, name) == getattr(record, name)
        assert event.id == str(record.event_id)
    assert answer.sequence == last if own else 0 < answer.sequence <= len(found)
    if own and request.expected_version is not None:
        assert own[0].version == request.expected_version + 1
    stored, stream = answer.stored, (receipt["stream_type"], receipt["stream_id"])
    assert stored is not None
    then = laws.streams(found)[stream][: receipt["version"]]
    names = laws.Row._fields
    assert tuple(getattr(stored, name) for name in names) == laws.fold(then)


def _check_once(sent: Sequence[Sent], kept: Mapping[UUID, RowMapping]) -> None:
    """What was accepted is kept, nothing else is, and repeats heard the same."""
    answers = defaultdict[UUID, list[Answer]](list)
    for request, answer in _answers(sent):
        answers[request.context.command_id].append(answer)
    accepted = {id for id, it in kept.items() if it["outcome"] != "refused"}
    assert accepted == answers.keys()
    again = {
        request.context.command_id
        for it in sent
        if it.again
        for request in it.unit.requests
    }
    for id, its in answers.items():
        assert all(_said(it) == _said(its[0]) for it in its)
        fresh = [it.replayed for it in its].count(False)
        assert fresh == 1 or (fresh == 0 and id in again)


def _said(answer: Answer) -> tuple[Any, ...]:
    """Return what every answer to one command has in common."""
    sequence = answer.sequence if answer.events else None
    return answer.stored, list(answer.events), sequence


def _check_refusals(sent: Sequence[Sent], kept: Mapping[UUID, RowMapping]) -> None:
    """A refusal has its reason, and leaves a receipt until the command is accepted."""
    for it in sent:
        for request, error in it.refusals:
            if error.code == "version_conflict":
                assert error.meta["current"] != request.expected_version
            if it.unit.dry or error.code == "idempotency_key_reused":
                continue
            receipt = kept[request.context.command_id]
            if receipt["outcome"] == "refused":
                assert receipt["error"]["code"] in REFUSALS


async def _check_names(engine: AsyncEngine, space: UUID) -> None:
    sql = text(
        "SELECT name_key FROM commands.tags WHERE workspace_id = :w AND NOT deleted"
    )
    async with engine.connect() as connection:
        names = list(await connection.scalars(sql, {"w": space}))
    assert len(names) == len(set(names)) > 1


def _check_order(sent: Sequence[Sent]) -> None:
    """What one caller was answered later has a later sequence."""
    reached = 0
    for it in sent:
        for _, answer in it.answers:
            if not answer.replayed:
                assert answer.sequence >= reached + bool(answer.events)
                reached = answer.sequence
