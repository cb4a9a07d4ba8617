"""Tasks, write side: the commands, the state they need, and the rules.

Pure: no I/O, no clock, no framework (a contract in pyproject.toml). The table of state
and command is `TRANSITIONS`; the API publishes it as it stands.
"""

from operator import attrgetter

from metacortex.commands.tasks.commands import (
    COMMENT_LIMIT,
    DEPTH_LIMIT,
    DESCRIPTION_LIMIT,
    NAMED_LIMIT,
    REASON_LIMIT,
    TAG_LIMIT,
    TITLE_LIMIT,
    ArchiveTask,
    BlockTask,
    CancelTask,
    CommentTask,
    CompleteTask,
    CreateTask,
    DeleteTask,
    DueChange,
    EditTask,
    MoveTask,
    ReopenTask,
    RestoreTask,
    StartTask,
    Subtasks,
    TaskCommand,
    UnarchiveTask,
    UnblockTask,
)
from metacortex.commands.tasks.needs import needs
from metacortex.commands.tasks.rules import decide
from metacortex.commands.tasks.state import OPEN, TRANSITIONS, Task, evolve
from metacortex.commands.tasks.tree import ON, delete, move, restore
from metacortex.events.tasks import STREAM
from metacortex.kernel.decider import Decider

DECIDER = Decider(
    stream_type=STREAM,
    plural="tasks",
    state=Task,
    commands={
        "task.create": CreateTask,
        "task.edit": EditTask,
        "task.start": StartTask,
        "task.block": BlockTask,
        "task.unblock": UnblockTask,
        "task.complete": CompleteTask,
        "task.reopen": ReopenTask,
        "task.cancel": CancelTask,
        "task.move": MoveTask,
        "task.archive": ArchiveTask,
        "task.unarchive": UnarchiveTask,
        "task.delete": DeleteTask,
        "task.restore": RestoreTask,
        "task.comment": CommentTask,
    },
    creation_commands=(CreateTask,),
    stream_id=attrgetter("task_id"),
    needs=needs,
    decide=decide,
    evolve=evolve,
)

__all__ = [
    "ArchiveTask",
    "BlockTask",
    "COMMENT_LIMIT",
    "CancelTask",
    "CommentTask",
    "CompleteTask",
    "CreateTask",
    "DECIDER",
    "DEPTH_LIMIT",
    "DESCRIPTION_LIMIT",
    "DeleteTask",
    "DueChange",
    "EditTask",
    "MoveTask",
    "NAMED_LIMIT",
    "ON",
    "OPEN",
    "REASON_LIMIT",
    "ReopenTask",
    "RestoreTask",
    "StartTask",
    "Subtasks",
    "TAG_LIMIT",
    "TITLE_LIMIT",
    "TRANSITIONS",
    "Task",
    "TaskCommand",
    "UnarchiveTask",
    "UnblockTask",
    "decide",
    "delete",
    "evolve",
    "move",
    "needs",
    "restore",
]
