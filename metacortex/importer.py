"""Importing check lists: a file's projects and items, as commands in batches.

Ids of resources and of commands come from the file's content, so that what was imported
before is a replay: a second import adds nothing, and one after an edit adds the edit.
What people changed here in the meantime is not overwritten by an unchanged file.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from metacortex.checklist import Checklist, Item
from metacortex.commands.bus import Bus
from metacortex.commands.message import Answer, Context, Request, Unit
from metacortex.commands.projects import CreateProject
from metacortex.commands.receipts import fingerprint
from metacortex.commands.tasks import CompleteTask, CreateTask, EditTask, ReopenTask
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.ids import derived, new_id

BATCH = 100  # commands a transaction: a fraction of a second, so progress shows


@dataclass(frozen=True, slots=True)
class _Step:
    """A command with the name under which it is known again."""

    resource: UUID
    name: str
    command: Any


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
    refused: list[str] = field(default_factory=list)

    def count(self, step: _Step, result: Answer | MetaCortexError) -> None:
        """Take one result in."""
        if isinstance(result, MetaCortexError):
            self.refused.append(f"{step.name} {step.resource}: {result}")
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
        yield _Step(project.id, "create", command)
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
    yield _Step(item.id, "create", create)
    digest = hashlib.sha256((item.description or "").encode()).hexdigest()[:16]
    edit = EditTask(task_id=item.id, description=item.description)
    yield _Step(item.id, f"describe {digest}", edit)
    if item.completed:
        yield _Step(item.id, "ticked", CompleteTask(task_id=item.id))
    else:
        yield _Step(item.id, "unticked", ReopenTask(task_id=item.id))
    for child in item.children:
        yield from _item(child, project_id, item.id)


async def run(
    bus: Bus,
    checklist: Checklist,
    *,
    workspace_id: UUID,
    actor_id: str,
    progress: Callable[[int, int], None],
) -> Report:
    """Import a check list; `progress` hears of commands done and commands in all."""
    todo = list(steps(checklist))
    report = Report(len(checklist.projects), sum(1 for _ in checklist))
    correlation = str(new_id())
    for start in range(0, len(todo), BATCH):
        chunk = todo[start : start + BATCH]
        requests = [_request(it, workspace_id, actor_id, correlation) for it in chunk]
        results = await bus.execute([Unit(requests=requests, atomic=False)])
        _count(report, chunk, results[0])
        progress(start + len(chunk), len(todo))
    return report


def _count(
    report: Report, chunk: Iterable[_Step], results: Iterable[Answer | MetaCortexError]
) -> None:
    for step, result in zip(chunk, results, strict=True):
        report.count(step, result)


def _request(
    step: _Step, workspace_id: UUID, actor_id: str, correlation: str
) -> Request:
    return Request(
        command=step.command,
        context=Context(
            workspace_id=workspace_id,
            actor_id=actor_id,
            command_id=derived(step.resource, step.name),
            correlation_id=correlation,
            client="metacortex import",
        ),
        fingerprint=fingerprint(step.resource, step.name),
    )
