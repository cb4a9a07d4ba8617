"""Examples of answers: what the rules really decide, about one small household.

Batch, fold and leaf run as ever, but in memory, with fixed ids and a fixed clock; what
only Postgres counts or puts together is written out. The tests hold the real answers
against the same shapes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from metacortex import __version__
from metacortex.api import commands, feeds, imports, meta, modules, people
from metacortex.api.auth import Caller, Role
from metacortex.api.comments import CommentTextBody
from metacortex.api.errors import catalogue
from metacortex.api.routes import (
    CommandRoute,
    ModuleRoutes,
    build,
    command_meta,
    resource_of,
    viewed,
)
from metacortex.commands import tasks
from metacortex.commands.batch import Batch, PlannedUnit, step
from metacortex.commands.message import Answer, CommandRequest, Context, Unit
from metacortex.commands.receipts import Receipt
from metacortex.commands.repository import Head, Loaded
from metacortex.commands.session import SessionCache
from metacortex.events import codec, merkle
from metacortex.events.record import SALT_BYTES, EventRecord, leaf_of, payload_hash
from metacortex.kernel.decider import Change, Revert, changes_of
from metacortex.kernel.errors import CODES
from metacortex.kernel.ids import derived
from metacortex.queries import comments, event_documents

Example = dict[str, Any]

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WORKSPACE = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a00")
COMMAND = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6b00")
ERROR_META: Mapping[str, Example] = {
    "body_too_large": {"limit": 1_048_576},
    "headers_too_large": {"limit": 100},
    "target_too_long": {"limit": 8_192},
    "rate_limited": {
        "limit_of": "commands",
        "limit": 10_000,
        "window_s": 60,
        "retry_after_s": 12,
    },
    "too_many_tags": {"limit": 50},
    "too_many_events": {"limit": 20_000, "events": 20_001},
    "too_much_at_once": {"limit": 10_000, "events": 12_345},
    "too_deep": {"limit": 64},
    "too_many_streams": {"limit": 20},
    "too_many_fields": {"limit": 200},
    "depth_exceeded": {"limit": 10, "depth": 11},
    "version_conflict": {"expected": 2, "current": 3},
    "read_model_lagging": {"asked": 42, "shown": 41},
    "resync_required": {"since": 43, "head": 42},
    "open_subtasks": {"tasks": [str(WORKSPACE)], "count": 1},
    "invalid_transition": {"status": "completed", "command": "task.start"},
    "cycle_detected": {"path": [str(WORKSPACE), str(WORKSPACE)]},
}
"""What `meta` holds where it is never empty."""

REQUEST_ID = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6c00"
CALLER = Caller("user_anna", WORKSPACE, Role.OWNER, None, None)
MEMBER = {
    "id": CALLER.user_id,
    "name": "Anna",
    "avatar_url": None,
    "role": "owner",
    "joined": True,
}
SALT = bytes(range(SALT_BYTES))


class Story:
    """Commands after each other in one workspace that only exists here."""

    def __init__(self) -> None:
        head = Head(WORKSPACE, 0, 0, NOW, [])
        self._cache = SessionCache.of(Loaded({WORKSPACE: head}, [], [], False))
        self.records: list[EventRecord] = []

    def run_example(self, spec: CommandRoute, target: UUID) -> Answer:
        """Run the example of a command. Raises whatever refuses it."""
        body = spec.body.model_validate(spec.body.examples)
        return self.run(build(spec, target, body, self._next_id()))

    def undo(self) -> Answer:
        """Take the last command back."""
        record = self.records[-1]
        changes = changes_of(codec.read(record).event)
        back = {name: Change(it.new, it.old) for name, it in changes.items()}
        return self.run(
            Revert(
                stream_type=record.stream_type,
                stream_id=record.stream_id,
                changes=back,
                creation=not back,
            )
        )

    def _next_id(self) -> UUID:
        return derived(COMMAND, len(self.records))

    def run(self, command: Any) -> Answer:
        """Run a command. Raises whatever refuses it."""
        context = Context(
            workspace_id=WORKSPACE,
            actor_id=CALLER.user_id,
            command_id=self._next_id(),
            correlation_id=REQUEST_ID,
            request_id=REQUEST_ID,
            ip="203.0.113.7",  # of those that RFC 5737 keeps for documents
            user_agent="Mozilla/5.0",
            client="web/1.0",
        )
        request = CommandRequest(command=command, context=context, fingerprint=b"")
        batch = Batch(self._cache, NOW)
        batch.run(PlannedUnit(Unit(requests=[request]), [[step(command)]]))
        answer = batch.results[0][0]
        if isinstance(answer, Exception):
            raise answer
        self.records += map(_record, batch.close().rows)
        return answer

    def lines(self) -> list[Example]:
        """Return the task log so far."""
        shown = map(event_documents.document, self.records)
        return [orjson.loads(orjson.dumps(it)) for it in shown]


def _record(row: Mapping[str, Any]) -> EventRecord:
    """Return the record of a row, with a salt that is none."""
    values = dict(row)
    for name in ("data", "context"):
        values[name] = orjson.dumps(row[name])  # as it is: the same bytes
    values["event_id"], values["recorded_at"] = UUID(row["event_id"]), NOW
    values["salt"] = SALT
    values["payload_hash"] = payload_hash(SALT, values["data"], values["context"])
    values["leaf_hash"] = b""
    values["leaf_hash"] = merkle.leaf_hash(leaf_of(EventRecord(**values)))
    return EventRecord(**values)


def _story_of(module: ModuleRoutes, spec: CommandRoute) -> tuple[Story, Answer]:
    """Return the story up to a command, and the command's answer."""
    story, target = Story(), derived(COMMAND, module.stream_type)
    create = module.commands[0]
    for before in spec.example_after:
        if before.target is not None:
            story.run_example(modules.COMMANDS[before.command], before.target)
    answer = story.run_example(create, target)
    for before in spec.example_after:
        if before.target is None:
            story.run_example(modules.COMMANDS[before.command], target)
    return story, answer if spec is create else story.run_example(spec, target)


def _envelope(data: Any, meta: Mapping[str, Any] | None = None) -> Example:
    about = {"request_id": REQUEST_ID, **(meta or {})}
    found: Example = orjson.loads(
        orjson.dumps({"data": data, "meta": about, "errors": []})
    )
    return found


def _page(row: Any, sequence: int) -> Example:
    about = {"page": 1, "per_page": 50, "total": 1, "next_cursor": None}
    return _envelope([row], {**about, "sequence": sequence})


def of_command(module: ModuleRoutes, spec: CommandRoute) -> Example:
    """Return the answer to the example of a command."""
    _, answer = _story_of(module, spec)
    data = viewed(spec, CALLER, answer)
    return _envelope(orjson.Fragment(data), command_meta(answer))


class _Household:
    """A new thing of a module, and all that can be asked about it."""

    def __init__(self, module: ModuleRoutes) -> None:
        self.module, last = module, len(module.commands) - 1
        self.story, self.answer = _story_of(module, module.commands[min(1, last)])
        self.sequence = self.answer.sequence
        self.row: Example = orjson.loads(resource_of(self.answer))

    def listed(self) -> Example:
        """Return a page of a list."""
        listing = self.module.listing
        more = {} if listing is None else listing.example
        return _page({**self.row, **more}, self.sequence)

    def one(self) -> Example:
        """Return the thing itself."""
        return _envelope(self.row, {"sequence": self.sequence})

    def history(self) -> Example:
        """Return the last line of its history."""
        found = _page(self.story.lines()[-1], self.sequence)
        found["meta"]["total"] = len(self.story.records)
        return found


BATCH = {
    "atomicity": "all",
    "commands": [
        {
            "id": "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a02",
            "type": "task.create",
            "args": {"title": "Pack"},
        }
    ],
}
BODIES: Mapping[str, Example] = {
    "runCommands": BATCH,
    "createImport": imports.BODY_EXAMPLE,
}
"""Request bodies of what is no command, by operation."""
"""The body of a batch."""


def failure(code: str, status: int) -> Example:
    """Return the answer of an error."""
    title = CODES[code][1]
    meta = ERROR_META.get(code, {})
    error = {"code": code, "status": status, "title": title, "detail": title}
    return {
        "data": None,
        "meta": {"request_id": REQUEST_ID},
        "errors": [{**error, "meta": meta}],
    }


def by_operation() -> Mapping[str, Any]:
    """Return the answer of every operation that has an example, by its id."""
    found: dict[str, Any] = {}
    for module in modules.MODULES:
        if module.listing is not None:
            found |= of_queries(module)
        for route in filter(lambda it: it.lean, module.commands):
            verb = route.name.partition(".")[2]
            found[f"{verb}{module.noun}"] = of_command(module, route)
    return {**found, **of_comments(), **of_the_rest()}


def of_comments() -> Mapping[str, Example]:
    """Return the answers about the comments of a task, by operation."""
    story, id = Story(), derived(COMMAND, "task")
    story.run_example(modules.COMMANDS["task.create"], id)
    added = story.run_example(modules.COMMANDS["task.comment"], id)
    assert added.stored is not None
    said = added.stored.state.comments[0]
    row = orjson.loads(comments.document(comments.row(said, id, NOW, deleted=False)))
    text = str(CommentTextBody.examples["text"])
    edited = story.run(
        tasks.EditComment(task_id=id, comment_id=said.id, text=text, as_owner=True)
    )
    deleted = story.run(
        tasks.DeleteComment(task_id=id, comment_id=said.id, as_owner=True)
    )
    after = {**row, "text": text, "edited_at": row["created_at"]}
    return {
        "listComments": _page(row, added.sequence),
        "getComment": _envelope(row, {"sequence": added.sequence}),
        "addComment": _envelope(row, command_meta(added)),
        "editComment": _envelope(after, command_meta(edited)),
        "deleteComment": _envelope(None, command_meta(deleted)),
    }


def of_queries(module: ModuleRoutes) -> Mapping[str, Example]:
    """Return the answers to the queries of a module, by operation."""
    noun, household = module.noun, _Household(module)
    return {
        f"list{module.plural.capitalize()}": household.listed(),
        f"get{noun}": household.one(),
        f"get{noun}History": household.history(),
    }


def _of_record(household: _Household) -> Example:
    record = household.story.records[-1]
    return {
        **household.story.lines()[-1],
        "schema_version": record.schema_version,
        "data": orjson.loads(record.data),
        "context": orjson.loads(record.context),
        "salt": record.salt.hex(),
        "payload_hash": record.payload_hash.hex(),
        "leaf_hash": record.leaf_hash.hex(),
    }


def _entry(receipt: Receipt) -> Example:
    shown = commands.as_schema(receipt)
    names = ("type", "recorded_at", "outcome", "actor", "stream")
    found = {"id": shown["command_id"], **{name: shown[name] for name in names}}
    return {**found, "title": "Call", "undoable": True, "undone_by": None}


def _receipt(receipt: Receipt) -> Example:
    shown = commands.as_schema(receipt)
    names = ("version", "first_sequence", "last_sequence", "correlation_id")
    found = {name: shown[name] for name in (*names, "request_id", "error")}
    return {**_entry(receipt), **found}


def _stream(household: _Household) -> str:
    """Return what a stream says of one event."""
    line = household.story.lines()[-1]
    names = ("event_id", "stream", "version", "sequence")
    about = {name: line[name] for name in names}
    about |= {"actor_id": line["actor"]["id"], "changed_fields": [*line["changes"]]}
    said, id, type = orjson.dumps(about).decode(), line["sequence"], line["type"]
    return f"retry: 3000\n\nid: {id}\nevent: {type}\ndata: {said}\n\n"


def of_the_rest() -> Mapping[str, Any]:
    """Return the answers to what no module owns, by operation."""
    module = modules.MODULES[0]
    household = _Household(module)
    answer, row, sequence = household.answer, household.row, household.sequence
    type, record, said = module.stream_type, _of_record(household), _stream(household)
    changed = {"type": type, "id": row["id"], "sequence": sequence, "data": row}
    onward = {"sequence": sequence, "next_since": sequence, "more": False}
    create = of_command(module, module.commands[0])
    decided = {k: v for k, v in create["meta"].items() if k != "request_id"}
    item = {
        "id": decided["command_id"],
        "status": 201,
        "data": create["data"],
        "meta": decided,
        "errors": [],
    }
    ran = {"dry_run": False, "sequence": decided["sequence"]}
    undone = household.story.undo()
    return {
        "runCommands": _envelope({"results": [item]}, ran),
        "listActivity": _page(household.story.lines()[-1], sequence),
        "listCommands": _page(_entry(answer.receipt), sequence),
        "listAuditCommands": _page(_receipt(answer.receipt), sequence),
        "getClientMeta": _envelope(
            {
                "version": __version__,
                "issuer": "clerk",
                "clerk_publishable_key": "pk_test_ZXhhbXBsZS5vcmck",
                "environment": "production",
                "features": list(meta.FEATURES),
            }
        ),
        "getCommand": _envelope(
            commands.as_schema(answer.receipt), {"sequence": sequence}
        ),
        "undoCommand": _envelope(
            orjson.Fragment(resource_of(undone)), command_meta(undone)
        ),
        "getMe": _envelope(people.as_me(CALLER, None), {"sequence": sequence}),
        "listMembers": _page(MEMBER, sequence),
        "taskStats": _envelope(feeds.STATS_EXAMPLE, {"sequence": sequence}),
        "listChanges": _envelope([changed], onward),
        "streamEvents": said,
        "listAuditEvents": _page(record, sequence),
        "getAuditEvent": _envelope(record, {"sequence": sequence}),
        "createImport": _envelope(
            imports.EXAMPLE | {"status": "queued", "done": 0, "total": 0, "errors": []}
        ),
        "getImport": _envelope(imports.EXAMPLE),
        "listErrors": _envelope(catalogue()[:2]),
        "listStateMachines": _envelope(meta.state_machines()),
    }
