"""Importing check lists: a file's projects and items, as commands in batches.

Only what the file says anew is sent: what the log has not, and what the last import
made something else of. So a second import sends nothing, one after an edit sends the
edit, and what people changed here in the meantime is not overwritten by an unchanged
file. Ids of resources and of commands come from the file's content. Where a file goes
back to what it said before, the import in between is part of the command's id, if that
import changed anything here.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import receipts
from metacortex.commands.bus import Bus
from metacortex.commands.message import Answer, CommandRequest, Context, Unit
from metacortex.commands.projects import CreateProject
from metacortex.commands.receipts import fingerprint
from metacortex.commands.tasks import CompleteTask, CreateTask, EditTask, ReopenTask
from metacortex.events import codec, log
from metacortex.events.record import EventRecord
from metacortex.events.tasks import TaskCreated
from metacortex.importing.checklist import Checklist, Item
from metacortex.kernel.database import ReadConnection
from metacortex.kernel.decider import changes_of
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.ids import derived, new_id

BATCH = 100  # commands a transaction: a fraction of a second, so progress shows
PAGE = 500  # resources whose events are in memory at a time

CLIENT = "metacortex import"


@dataclass(frozen=True, slots=True)
class _Step:
    """A command with the name under which it is known again.

    Where it sets a field, that field and its value; a creation sets none of these.
    """

    resource: UUID
    name: str
    command: Any
    line: int
    sets: str | None = None
    value: Any = None


@dataclass(slots=True)
class _Known:
    """What the log says of some resources: which exist, and what imports made of them.

    `born` has what a creation by an import set, `said` what later ones set, as ids of
    commands and values in order; both by resource and field.
    """

    exist: set[UUID] = field(default_factory=set)
    born: dict[tuple[UUID, str], Any] = field(default_factory=dict)
    said: defaultdict[tuple[UUID, str], list[tuple[UUID, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    sequence: int = 0

    def take(self, record: EventRecord) -> None:
        """Take the next event of a resource in."""
        self.exist.add(record.stream_id)
        self.sequence = max(self.sequence, record.sequence)
        if orjson.loads(record.context).get("client") != CLIENT:
            return
        event = codec.read(record).event
        if isinstance(event, TaskCreated):
            self.born[record.stream_id, "description"] = event.description
            self.born[record.stream_id, "status"] = "pending"
        for name, change in changes_of(event).items():
            self.said[record.stream_id, name].append((record.command_id, change.new))

    def lacks(self, step: _Step) -> bool:
        """Tell whether a step says anything that no import has said last."""
        if step.sets is None:
            return step.resource not in self.exist
        key = (step.resource, step.sets)
        if values := self.said.get(key):
            return bool(values[-1][1] != step.value)
        return key not in self.born or bool(self.born[key] != step.value)

    def create(self, step: _Step) -> None:
        """Note that a step which creates a resource is on its way."""
        self.exist.add(step.resource)
        if isinstance(step.command, CreateTask):
            self.born[step.resource, "description"] = step.command.description
            self.born[step.resource, "status"] = "pending"

    def name(self, step: _Step) -> str:
        """Return a step's name, after the last import that made something else."""
        if step.sets is None:
            return step.name
        others = (
            id
            for id, value in reversed(self.said.get((step.resource, step.sets), ()))
            if value != step.value
        )
        after = next(others, None)
        return step.name if after is None else f"{step.name} after {after}"


@dataclass(frozen=True, slots=True)
class _Sending:
    """A step that is sent, and the id of its command."""

    step: _Step
    command_id: UUID
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that was refused, and the line of the file that asked for it."""

    line: int
    what: str
    error: MetaCortexError

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}: {self.error}"


@dataclass(slots=True)
class Report:
    """What an import came to; all counts but those of the file are commands.

    `sequence` is that of the last event of anything that the file names.
    """

    projects: int = 0
    items: int = 0
    sent: int = 0
    applied: int = 0
    unchanged: int = 0
    replayed: int = 0
    events: int = 0
    sequence: int = 0
    refused: list[Refusal] = field(default_factory=list)

    def count(self, step: _Step, result: Answer | MetaCortexError) -> None:
        """Take one result in."""
        if isinstance(result, MetaCortexError):
            what = f"{step.name} {step.resource}"
            self.refused.append(Refusal(step.line, what, result))
            return
        self.sequence = max(self.sequence, result.sequence)
        if result.replayed:
            self.replayed += 1
        elif result.events:
            self.applied += 1
            self.events += len(result.events)
        else:
            self.unchanged += 1


def steps(checklist: Checklist) -> Iterator[_Step]:
    """Return the commands that a check list means, in an order that works."""
    for project in checklist.projects:
        command = CreateProject(project_id=project.id, name=project.name)
        yield _Step(project.id, "create", command, project.items[0].line)
        for item in project.items:
            yield from _item(item, project.id, None)


def _item(item: Item, project_id: UUID, parent_id: UUID | None) -> Iterator[_Step]:
    create = CreateTask(
        task_id=item.id,
        title=item.title,
        description=item.description,
        project_id=project_id,
        parent_id=parent_id,
    )
    yield _Step(item.id, "create", create, item.line)
    digest = hashlib.sha256((item.description or "").encode()).hexdigest()[:16]
    edit = EditTask(task_id=item.id, description=item.description)
    line, about = item.line, item.description
    yield _Step(item.id, f"describe {digest}", edit, line, "description", about)
    if item.completed:
        tick = CompleteTask(task_id=item.id)
        yield _Step(item.id, "ticked", tick, line, "status", "completed")
    else:
        untick = ReopenTask(task_id=item.id)
        yield _Step(item.id, "unticked", untick, line, "status", "pending")
    for child in item.children:
        yield from _item(child, project_id, item.id)


async def run(
    database: AsyncEngine,
    checklist: Checklist,
    *,
    workspace_id: UUID,
    actor_id: str,
    progress: Callable[[int, int], None],
    correlation_id: str | None = None,
) -> Report:
    """Import a check list; `progress` hears of commands done and commands in all."""
    bus, report = Bus(database), Report(len(checklist.projects))
    report.items = sum(1 for _ in checklist)
    todo, report.sequence = await _new(database, workspace_id, checklist)
    report.sent = len(todo)
    context = partial(
        Context,
        workspace_id=workspace_id,
        actor_id=actor_id,
        correlation_id=correlation_id or str(new_id()),
        client=CLIENT,
    )
    for start in range(0, len(todo), BATCH):
        chunk = todo[start : start + BATCH]
        requests = [
            CommandRequest(
                command=it.step.command,
                context=context(command_id=it.command_id),
                fingerprint=it.fingerprint,
            )
            for it in chunk
        ]
        results = await bus.execute([Unit(requests=requests, atomic=False)])
        for sending, result in zip(chunk, results[0], strict=True):
            report.count(sending.step, result)
        progress(start + len(chunk), len(todo))
    return report


async def _new(
    database: AsyncEngine, workspace_id: UUID, checklist: Checklist
) -> tuple[list[_Sending], int]:
    """Return what the workspace lacks, and the last sequence of what it has."""
    found: list[_Sending] = []
    sequence = 0
    async with database.connect() as opened:
        connection = ReadConnection(opened)
        for page in _pages(steps(checklist)):
            known = await _known(connection, workspace_id, {it.resource for it in page})
            lacking = list(_lacking(page, known))
            ids = [it.command_id for it in lacking]
            done = await receipts.executed(connection, workspace_id, ids)
            found += [it for it in lacking if it.command_id not in done]
            sequence = max(sequence, known.sequence)
    return found, sequence


def _pages(all_steps: Iterable[_Step]) -> Iterator[list[_Step]]:
    """Yield the steps of some resources at a time; a resource's stay together."""
    page: list[_Step] = []
    resources = 0
    for step in all_steps:
        resources += step.sets is None
        if resources > PAGE:
            yield page
            page, resources = [], 1
        page.append(step)
    yield page


def _lacking(page: Iterable[_Step], known: _Known) -> Iterator[_Sending]:
    for step in page:
        if known.lacks(step):
            name = known.name(step)
            id = derived(step.resource, name)
            yield _Sending(step, id, fingerprint(step.resource, name))
            if step.sets is None:
                known.create(step)


async def _known(
    connection: ReadConnection, workspace_id: UUID, resources: Iterable[UUID]
) -> _Known:
    known = _Known()
    for stream_type in ("project", "task"):
        for record in await log.read_streams(
            connection, workspace_id, stream_type, resources
        ):
            known.take(record)
    return known
