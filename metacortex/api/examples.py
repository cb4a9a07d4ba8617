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

from metacortex.api import batch, meta, modules
from metacortex.api.errors import catalogue
from metacortex.api.routes import Command, Module, build, command_meta, resource
from metacortex.commands.batch import Batch, PlannedUnit, step
from metacortex.commands.message import Answer, CommandRequest, Context, Unit
from metacortex.commands.registry import DECIDERS
from metacortex.commands.repository import Head, Loaded
from metacortex.commands.session import SessionCache
from metacortex.events import codec, merkle
from metacortex.events.record import SALT_BYTES, EventRecord, leaf_of, payload_hash
from metacortex.kernel.decider import Change, changes_of
from metacortex.kernel.ids import derived
from metacortex.queries.fold import Fold

Example = dict[str, Any]

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WORKSPACE = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a00")
COMMAND = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6b00")
REQUEST_ID = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6c00"
SALT = bytes(range(SALT_BYTES))

BEFORE: Mapping[str, str] = {
    "task.unblock": "task.block",
    "task.reopen": "task.complete",
    "task.unarchive": "task.archive",
    "task.restore": "task.delete",
    "project.unarchive": "project.archive",
    "project.restore": "project.delete",
}
"""What has to be done first, besides creating."""


class Story:
    """Commands after each other in one workspace that only exists here."""

    def __init__(self) -> None:
        head = Head(WORKSPACE, 0, 0, NOW, [])
        self._cache = SessionCache.of(Loaded({WORKSPACE: head}, [], [], False))
        self.records: list[EventRecord] = []

    def tell(self, spec: Command, target: UUID) -> Answer:
        """Run the example of a command. Raises whatever refuses it."""
        body = spec.body.model_validate(spec.body.examples)
        return self._run(build(spec, target, body, self._next_id()))

    def undo(self) -> Answer:
        """Take the last command back."""
        record = self.records[-1]
        changes = changes_of(codec.read(record).event)
        back = {name: Change(it.new, it.old) for name, it in changes.items()}
        return self._run(DECIDERS[record.stream_type].revert(record.stream_id, back))

    def _next_id(self) -> UUID:
        return derived(COMMAND, len(self.records))

    def _run(self, command: Any) -> Answer:
        context = Context(
            workspace_id=WORKSPACE,
            actor_id="user_anna",
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
        fold = Fold({})
        for record in self.records:
            fold.apply(record)
        return [orjson.loads(orjson.dumps(line["document"])) for line in fold.log]


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


def _told(module: Module, spec: Command) -> tuple[Story, Answer]:
    """Return the story up to a command, and the command's answer."""
    story, specs = Story(), modules.COMMANDS
    target = derived(COMMAND, module.stream_type)
    create = specs[f"{module.stream_type}.create"]
    if spec.name == "tag.merge":
        story.tell(create, UUID(spec.body.examples["into"]))
        story.tell(specs["tag.edit"], UUID(spec.body.examples["into"]))
    answer = story.tell(create, target)
    for name in (BEFORE.get(spec.name), spec.name):
        if name is not None and name != create.name:
            answer = story.tell(specs[name], target)
    return story, answer


def _envelope(data: Any, meta: Mapping[str, Any] | None = None) -> Example:
    about = {"request_id": REQUEST_ID, **(meta or {})}
    found: Example = orjson.loads(
        orjson.dumps({"data": data, "meta": about, "errors": []})
    )
    return found


def _page(row: Any, sequence: int) -> Example:
    about = {"page": 1, "per_page": 50, "total": 1, "next_cursor": None}
    return _envelope([row], {**about, "sequence": sequence})


def of_command(module: Module, spec: Command) -> Example:
    """Return the answer to the example of a command."""
    _, answer = _told(module, spec)
    return _envelope(orjson.Fragment(resource(answer)), command_meta(answer))


class _Household:
    """A new thing of a module, and all that can be asked about it."""

    def __init__(self, module: Module) -> None:
        self.module = module
        edit = modules.COMMANDS[f"{module.stream_type}.edit"]
        self.story, self.answer = _told(module, edit)
        self.sequence = self.answer.sequence
        self.row: Example = orjson.loads(resource(self.answer))

    def listed(self) -> Example:
        """Return a page of a list."""
        more = {"open_tasks": 3, "completed_tasks": 1}
        is_project = self.module.stream_type == "project"
        return _page({**self.row, **(more if is_project else {})}, self.sequence)

    def one(self) -> Example:
        """Return the thing itself."""
        return _envelope(self.row, {"sequence": self.sequence})

    def history(self) -> Example:
        """Return the last line of its history."""
        found = _page(self.story.lines()[-1], self.sequence)
        found["meta"]["total"] = len(self.story.records)
        return found


def of_queries(module: Module) -> Mapping[str, Example]:
    """Return the answers to the queries of a module, by operation."""
    noun, household = module.stream_type.capitalize(), _Household(module)
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


def _stream(household: _Household) -> str:
    """Return what a stream says of one event."""
    line = household.story.lines()[-1]
    names = ("event_id", "stream", "version", "sequence")
    about = {name: line[name] for name in names}
    about |= {"actor_id": line["actor"]["id"], "changed_fields": [*line["changes"]]}
    said, id, type = orjson.dumps(about).decode(), line["sequence"], line["type"]
    return f"retry: 3000\n\nid: {id}\nevent: {type}\ndata: {said}\n\n"


STATS = {
    "total": 12,
    "open": 9,
    "overdue": 1,
    "by_status": {
        "pending": 6,
        "in_progress": 2,
        "blocked": 1,
        "completed": 2,
        "cancelled": 1,
    },
    "by_priority": {"low": 2, "medium": 7, "high": 2, "urgent": 1},
}


def of_the_rest() -> Mapping[str, Any]:
    """Return the answers to what no module owns, by operation."""
    tasks = modules.MODULES[0]
    household = _Household(tasks)
    answer, row, sequence = household.answer, household.row, household.sequence
    type, record, said = tasks.stream_type, _of_record(household), _stream(household)
    changed = {"type": type, "id": row["id"], "sequence": sequence, "data": row}
    onward = {"sequence": sequence, "next_since": sequence, "more": False}
    create = of_command(tasks, modules.COMMANDS["task.create"])
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
        "getCommand": _envelope(batch.shown(answer.receipt), {"sequence": sequence}),
        "undoCommand": _envelope(
            orjson.Fragment(resource(undone)), command_meta(undone)
        ),
        "taskStats": _envelope(STATS, {"sequence": sequence}),
        "listChanges": _envelope([changed], onward),
        "streamEvents": said,
        "listAuditEvents": _page(record, sequence),
        "getAuditEvent": _envelope(record, {"sequence": sequence}),
        "listErrors": _envelope(catalogue()[:2]),
        "listStateMachines": _envelope(orjson.Fragment(meta.machines())),
    }
