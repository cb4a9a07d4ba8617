"""Somebody who does things at random, over so few ids that they meet all the time.

Seeded, so that a failure happens again. Most of what is asked is lawful; refusals,
repeats, atomic units and dry runs come along as they do in life.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar
from uuid import UUID, uuid4

from metacortex.commands import projects, tags, tasks
from metacortex.commands.message import CommandRequest, Context, Unit
from metacortex.commands.receipts import fingerprint
from metacortex.commands.undo import Undo
from metacortex.kernel.decider import UNSET
from metacortex.kernel.ids import derived

T = TypeVar("T")

ACTOR = "user_walker"


def request(
    workspace_id: UUID, command: Any, command_id: UUID | None = None, **more: Any
) -> CommandRequest:
    """Return a command with a context; requests differ as their commands do."""
    return CommandRequest(
        command=command,
        context=Context(
            workspace_id=workspace_id,
            actor_id=ACTOR,
            command_id=command_id or uuid4(),
            correlation_id="walk",
        ),
        fingerprint=fingerprint(repr(command)),
        **more,
    )


def unit(workspace_id: UUID, *commands: Any, **more: Any) -> Unit:
    """Return commands as one unit."""
    return Unit(requests=[request(workspace_id, it) for it in commands], **more)


class Walk:
    """One workspace with a handful of tasks, projects and tags."""

    def __init__(self, workspace_id: UUID, rng: Random) -> None:
        self.workspace_id = workspace_id
        self.tasks = [derived(workspace_id, f"task {n}") for n in range(7)]
        self.projects = [derived(workspace_id, f"project {n}") for n in range(3)]
        self.tags = [derived(workspace_id, f"tag {n}") for n in range(4)]
        self._rng = rng
        self._sent: list[CommandRequest] = []

    def births(self) -> list[Unit]:
        """Return the units that make everything, each after what it refers to."""
        made: list[Any] = [
            projects.CreateProject(project_id=id, name=self._word())
            for id in self.projects
        ]
        made += [
            tags.CreateTag(tag_id=id, name=f"Tag {n}") for n, id in enumerate(self.tags)
        ]
        made += [self._birth(n) for n in range(len(self.tasks))]
        return [unit(self.workspace_id, command) for command in made]

    def _birth(self, number: int) -> tasks.CreateTask:
        parent = self._rng.choice([None, *self.tasks[:number]])
        project = self._one(self.projects)
        return tasks.CreateTask(
            task_id=self.tasks[number],
            title=self._word(),
            parent_id=parent,
            project_id=UNSET if parent else project,
            tags=tuple(self._rng.sample(self.tags, 2)),
        )

    def next(self) -> Unit:
        """Return some unit: of one to three commands, now and then dry."""
        size = self._rng.choice([1, 1, 2, 3])
        return Unit(
            requests=[self._request() for _ in range(size)],
            atomic=self._rng.random() < 0.5,
            dry=self._rng.random() < 0.05,
        )

    def _request(self) -> CommandRequest:
        if self._sent and self._rng.random() < 0.05:
            return self._one(self._sent)  # somebody sends it again
        found = request(self.workspace_id, self._command())
        self._sent.append(found)
        return found

    def _command(self) -> Any:
        kinds: Sequence[Callable[[], Any]] = (
            *([self._of_task] * 6),
            self._of_project,
            self._of_tag,
            self._undo,
        )
        return self._one(kinds)()

    def _undo(self) -> Any:
        if not self._sent:
            return self._of_task()
        return Undo(command_id=self._one(self._sent).context.command_id)

    def _of_task(self) -> Any:
        id, other = self._one(self.tasks), self._one([None, *self.tasks])
        project = self._one([None, *self.projects])
        return self._one(
            [
                tasks.EditTask(task_id=id, title=self._word()),
                tasks.EditTask(task_id=id, add_tags=(self._one(self.tags),)),
                tasks.EditTask(task_id=id, remove_tags=(self._one(self.tags),)),
                tasks.StartTask(task_id=id),
                tasks.BlockTask(task_id=id, reason=self._word()),
                tasks.UnblockTask(task_id=id),
                tasks.CompleteTask(task_id=id),
                tasks.CompleteTask(task_id=id, subtasks="complete"),
                tasks.ReopenTask(task_id=id),
                tasks.CancelTask(task_id=id),
                tasks.MoveTask(task_id=id, parent_id=other),
                tasks.MoveTask(task_id=id, project_id=project),
                tasks.ArchiveTask(task_id=id),
                tasks.UnarchiveTask(task_id=id),
                tasks.DeleteTask(task_id=id),
                tasks.RestoreTask(task_id=id),
                tasks.CommentTask(task_id=id, comment_id=uuid4(), body="Well"),
            ]
        )

    def _of_project(self) -> Any:
        id = self._one(self.projects)
        return self._one(
            [
                projects.EditProject(project_id=id, name=self._word()),
                projects.ArchiveProject(project_id=id),
                projects.UnarchiveProject(project_id=id),
                projects.UnarchiveProject(project_id=id),
                projects.DeleteProject(project_id=id),
                projects.RestoreProject(project_id=id),
            ]
        )

    def _of_tag(self) -> Any:
        id = self._one(self.tags)
        return self._one(
            [
                tags.CreateTag(tag_id=uuid4(), name=f"Tag {self._rng.randrange(6)}"),
                tags.EditTag(tag_id=id, name=f"Tag {self._rng.randrange(6)}"),
                tags.EditTag(tag_id=id, colour=self._one(["red", None])),
                tags.DeleteTag(tag_id=id),
                tags.MergeTag(tag_id=id, into=self._one(self.tags)),
            ]
        )

    def _one(self, choices: Sequence[T]) -> T:
        return self._rng.choice(choices)

    def _word(self) -> str:
        return self._one(["Milk", "Größe 100 €", "日本語", '"quoted" \\ line\nbreak'])
