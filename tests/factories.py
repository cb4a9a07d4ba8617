"""One factory for each message, valid by default; a test names only what matters to it.

Commands come first, events after them, each module in the order of its file. Every id
is fresh, so that messages of one test never meet by accident.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from factory.base import Factory, FactoryMetaClass
from factory.declarations import LazyFunction, Sequence

from metacortex.commands import people, projects, tags, tasks
from metacortex.commands.undo import Undo
from metacortex.events import people as person_events
from metacortex.events import projects as project_events
from metacortex.events import tags as tag_events
from metacortex.events import tasks as task_events
from metacortex.events.tasks import Due
from metacortex.kernel.decider import Change, Revert
from metacortex.kernel.ids import new_id

ON = Change(False, True)
OFF = Change(True, False)
DONE_AT = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
TOMORROW = Due(date=date(2026, 11, 24))


def fresh_id() -> Any:
    """Return the declaration of an id that is new in every message."""
    return drawn(new_id)


def numbered(name: str) -> Any:
    """Return the declaration of a text that is another in every message."""
    return Sequence(lambda n: f"{name} {n}")  # type: ignore[no-untyped-call]


def drawn(make: Callable[[], Any]) -> Any:
    """Return the declaration of a value that is made anew in every message."""
    return LazyFunction(make)  # type: ignore[no-untyped-call]


class Message(Factory[Any]):
    """Calling a factory makes a message; it takes any of the message's fields."""

    class Meta:
        abstract = True

    if TYPE_CHECKING:  # the library says so in no type

        def __new__(cls, **fields: Any) -> Any: ...


class _OfTag(Message):
    class Meta:
        abstract = True

    tag_id = fresh_id()


class CreateTagFactory(_OfTag):
    class Meta:
        model = tags.CreateTag

    name = numbered("Tag")


class EditTagFactory(_OfTag):
    class Meta:
        model = tags.EditTag

    name = numbered("Renamed tag")


class DeleteTagFactory(_OfTag):
    class Meta:
        model = tags.DeleteTag


class MergeTagFactory(_OfTag):
    class Meta:
        model = tags.MergeTag

    into = fresh_id()


class _OfProject(Message):
    class Meta:
        abstract = True

    project_id = fresh_id()


class CreateProjectFactory(_OfProject):
    class Meta:
        model = projects.CreateProject

    name = numbered("Project")


class EditProjectFactory(_OfProject):
    class Meta:
        model = projects.EditProject

    name = numbered("Renamed project")


class ArchiveProjectFactory(_OfProject):
    class Meta:
        model = projects.ArchiveProject


class UnarchiveProjectFactory(_OfProject):
    class Meta:
        model = projects.UnarchiveProject


class DeleteProjectFactory(_OfProject):
    class Meta:
        model = projects.DeleteProject


class RestoreProjectFactory(_OfProject):
    class Meta:
        model = projects.RestoreProject


class _OfTask(Message):
    class Meta:
        abstract = True

    task_id = fresh_id()


class CreateTaskFactory(_OfTask):
    class Meta:
        model = tasks.CreateTask

    title = numbered("Task")


class EditTaskFactory(_OfTask):
    class Meta:
        model = tasks.EditTask

    title = numbered("Retitled task")


class StartTaskFactory(_OfTask):
    class Meta:
        model = tasks.StartTask


class BlockTaskFactory(_OfTask):
    class Meta:
        model = tasks.BlockTask

    reason = "Waiting for paint"


class UnblockTaskFactory(_OfTask):
    class Meta:
        model = tasks.UnblockTask


class CompleteTaskFactory(_OfTask):
    class Meta:
        model = tasks.CompleteTask


class ReopenTaskFactory(_OfTask):
    class Meta:
        model = tasks.ReopenTask


class CancelTaskFactory(_OfTask):
    class Meta:
        model = tasks.CancelTask


class MoveTaskFactory(_OfTask):
    class Meta:
        model = tasks.MoveTask

    parent_id = None


class ArchiveTaskFactory(_OfTask):
    class Meta:
        model = tasks.ArchiveTask


class UnarchiveTaskFactory(_OfTask):
    class Meta:
        model = tasks.UnarchiveTask


class DeleteTaskFactory(_OfTask):
    class Meta:
        model = tasks.DeleteTask


class RestoreTaskFactory(_OfTask):
    class Meta:
        model = tasks.RestoreTask


class CommentTaskFactory(_OfTask):
    class Meta:
        model = tasks.CommentTask

    comment_id = fresh_id()
    body = "Two coats will do"


class _OfPerson(Message):
    class Meta:
        abstract = True

    person_id = fresh_id()


class AddPersonFactory(_OfPerson):
    class Meta:
        model = people.AddPerson

    user_id = "user_me"


class EditPersonFactory(_OfPerson):
    class Meta:
        model = people.EditPerson

    name = "Anna"


class UndoFactory(Message):
    class Meta:
        model = Undo

    command_id = fresh_id()


class RevertFactory(Message):
    class Meta:
        model = Revert

    stream_type = "task"
    stream_id = fresh_id()
    changes = {"priority": Change("high", "medium")}


class TagCreatedFactory(Message):
    class Meta:
        model = tag_events.TagCreated

    name = numbered("Tag")
    colour = None


class TagRenamedFactory(Message):
    class Meta:
        model = tag_events.TagRenamed

    name = Change("Errands", "Chores")


class TagRecolouredFactory(Message):
    class Meta:
        model = tag_events.TagRecoloured

    colour = Change(None, "red")


class TagDeletedFactory(Message):
    class Meta:
        model = tag_events.TagDeleted

    deleted = ON


class TagMergedFactory(Message):
    class Meta:
        model = tag_events.TagMerged

    deleted = ON
    merged_into = drawn(lambda: Change(None, new_id()))


class TagRevertedFactory(Message):
    class Meta:
        model = tag_events.TagReverted

    colour = Change("red", None)


class ProjectCreatedFactory(Message):
    class Meta:
        model = project_events.ProjectCreated

    name = numbered("Project")
    description = None
    colour = None


class ProjectEditedFactory(Message):
    class Meta:
        model = project_events.ProjectEdited

    colour = Change(None, "red")


class ProjectArchivedFactory(Message):
    class Meta:
        model = project_events.ProjectArchived

    archived = ON


class ProjectUnarchivedFactory(Message):
    class Meta:
        model = project_events.ProjectUnarchived

    archived = OFF


class ProjectDeletedFactory(Message):
    class Meta:
        model = project_events.ProjectDeleted

    deleted = ON


class ProjectRestoredFactory(Message):
    class Meta:
        model = project_events.ProjectRestored

    deleted = OFF


class ProjectRevertedFactory(Message):
    class Meta:
        model = project_events.ProjectReverted

    colour = Change("red", None)


class TaskCreatedFactory(Message):
    class Meta:
        model = task_events.TaskCreated

    title = numbered("Task")
    description = None
    priority = "medium"
    due = None
    project_id = None
    parent_id = None
    tags = ()
    assignee_id = None


class TaskEditedFactory(Message):
    class Meta:
        model = task_events.TaskEdited

    priority = Change("medium", "high")


class TaskStartedFactory(Message):
    class Meta:
        model = task_events.TaskStarted

    status = Change("pending", "in_progress")


class TaskBlockedFactory(Message):
    class Meta:
        model = task_events.TaskBlocked

    status = Change("pending", "blocked")
    blocked_reason = Change(None, "Waiting for paint")


class TaskUnblockedFactory(Message):
    class Meta:
        model = task_events.TaskUnblocked

    status = Change("blocked", "pending")
    blocked_reason = Change("Waiting for paint", None)


class TaskCompletedFactory(Message):
    class Meta:
        model = task_events.TaskCompleted

    status = Change("pending", "completed")
    completed_at = Change(None, DONE_AT)


class TaskReopenedFactory(Message):
    class Meta:
        model = task_events.TaskReopened

    status = Change("completed", "pending")
    completed_at = Change(DONE_AT, None)


class TaskCancelledFactory(Message):
    class Meta:
        model = task_events.TaskCancelled

    status = Change("pending", "cancelled")


class TaskMovedFactory(Message):
    class Meta:
        model = task_events.TaskMoved

    parent_id = drawn(lambda: Change(None, new_id()))


class TaskRetaggedFactory(Message):
    class Meta:
        model = task_events.TaskRetagged

    tags = drawn(lambda: Change((new_id(),), ()))


class TaskArchivedFactory(Message):
    class Meta:
        model = task_events.TaskArchived

    archived = ON


class TaskUnarchivedFactory(Message):
    class Meta:
        model = task_events.TaskUnarchived

    archived = OFF


class TaskDeletedFactory(Message):
    class Meta:
        model = task_events.TaskDeleted

    deleted = ON
    deleted_with = drawn(lambda: Change(None, new_id()))


class TaskRestoredFactory(Message):
    class Meta:
        model = task_events.TaskRestored

    deleted = OFF
    deleted_with = drawn(lambda: Change(new_id(), None))


class TaskCommentedFactory(Message):
    class Meta:
        model = task_events.TaskCommented

    comment_id = fresh_id()
    body = "Two coats will do"


class TaskRevertedFactory(Message):
    class Meta:
        model = task_events.TaskReverted

    priority = Change("high", "medium")


class PersonCreatedFactory(Message):
    class Meta:
        model = person_events.PersonCreated

    user_id = "user_me"
    name = None


class PersonEditedFactory(Message):
    class Meta:
        model = person_events.PersonEdited

    name = Change(None, "Anna")
    joined = ON


class PersonRevertedFactory(Message):
    class Meta:
        model = person_events.PersonReverted

    name = Change("Anna", None)


_ALL: list[Any] = [it for it in vars().values() if isinstance(it, FactoryMetaClass)]

OF = {factory._meta.model: factory for factory in _ALL if factory._meta.model}
"""Every factory, by the class of message that it makes."""
