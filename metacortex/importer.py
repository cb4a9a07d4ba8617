"""Importing check lists: a file's projects and items, as commands in batches.

Ids of resources and of commands come from the file's content, so that what was
imported before is a replay: a second import adds nothing, and one after an edit adds
the edit. What people changed here in the meantime is not overwritten by an unchanged
file. Where a file goes back to what it said before, the import in between is part of
the command's id, if that import changed anything here.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.checklist import Checklist, Item
from metacortex.commands.bus import Bus
from metacortex.commands.message import Answer, Context, Request, Unit
from metacortex.commands.projects import CreateProject
from metacortex.commands.receipts import fingerprint
from metacortex.commands.tasks import CompleteTask, CreateTask, EditTask, ReopenTask
from metacortex.events import codec, log
from metacortex.kernel.database import ReadConnection
from metacortex.kernel.decider import changes_of
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.ids import derived, new_id

BATCH = 100  # commands a transaction: a fraction of a second, so progress shows


CLIENT = "metacortex import"

_Said = Mapping[tuple[UUID, str], Sequence[tuple[UUID, Any]]]
"""By task and field, what imports have made of it: command ids and values, in order."""


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

    def known_as(self, said: _Said) -> str:
        """Return the name, after the last import that made something else of it."""
        if self.sets is None:
            return self.name
        others = (
            id
            for id, value in reversed(said.get((self.resource, self.sets), ()))
            if value != self.value
        )
        after = next(others, None)
        return self.name if after is None else f"{self.name} after {after}"


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
    """What an import came to; counts are commands, `sequence` is the last event's."""

    projects: int = 0
    items: int = 0
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
    bus, todo = Bus(database), list(steps(checklist))
    report = Report(len(checklist.projects), sum(1 for _ in checklist))
    correlation = correlation_id or str(new_id())
    for start in range(0, len(todo), BATCH):
        chunk = todo[start : start + BATCH]
        said = await _said(database, workspace_id, {it.resource for it in chunk})
        context = partial(
            Context,
            workspace_id=workspace_id,
            actor_id=actor_id,
            correlation_id=correlation,
            client=CLIENT,
        )
        requests = [_request(it, it.known_as(said), context) for it in chunk]
        results = await bus.execute([Unit(requests=requests, atomic=False)])
        _count(report, chunk, results[0])
        progress(start + len(chunk), len(todo))
    return report


def _count(
    report: Report, chunk: Iterable[_Step], results: Iterable[Answer | MetaCortexError]
) -> None:
    for step, result in zip(chunk, results, strict=True):
        report.count(step, result)


async def _said(database: AsyncEngine, workspace_id: UUID, tasks: set[UUID]) -> _Said:
    """Return what imports have made of the fields of tasks since they are there."""
    async with database.connect() as connection:
        records = await log.read_streams(
            ReadConnection(connection), workspace_id, "task", tasks
        )
    found = defaultdict[tuple[UUID, str], list[tuple[UUID, Any]]](list)
    for record in records:
        if orjson.loads(record.context).get("client") == CLIENT:
            for name, change in changes_of(codec.read(record).event).items():
                of_field = found[record.stream_id, name]
                of_field.append((record.command_id, change.new))
    return found


def _request(step: _Step, name: str, context: Callable[..., Context]) -> Request:
    return Request(
        command=step.command,
        context=context(command_id=derived(step.resource, name)),
        fingerprint=fingerprint(step.resource, name),
    )
