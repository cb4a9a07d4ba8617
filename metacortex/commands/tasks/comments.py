"""Rules of tasks about what people say of them."""

from dataclasses import replace

from metacortex.commands.tasks.commands import (
    CommentTask,
    DeleteComment,
    EditComment,
)
from metacortex.commands.tasks.state import Task
from metacortex.events.tasks import (
    Comment,
    TaskCommentDeleted,
    TaskCommented,
    TaskCommentEdited,
    TaskEvent,
)
from metacortex.kernel.decider import Exchange, Facts
from metacortex.kernel.errors import Forbidden, NotFound, Refused


def comment(command: CommentTask, task: Task, facts: Facts) -> list[TaskEvent]:
    """Add a comment of whoever asks."""
    if any(it.id == command.comment_id for it in task.comments):
        raise Refused("already_exists")
    said = TaskCommented(
        comment_id=command.comment_id,
        body=command.body,
        author_id=facts.actor_id,
        created_at=facts.now,
    )
    return [said]


def edit_comment(command: EditComment, task: Task, facts: Facts) -> list[TaskEvent]:
    """Change the text of a comment. Raises NotFound, Forbidden."""
    old = _own(command, task, facts)
    if old.text == command.text:
        return []
    new = replace(old, text=command.text, edited_at=facts.now)
    return [TaskCommentEdited(comments=Exchange((old,), (new,)))]


def delete_comment(command: DeleteComment, task: Task, facts: Facts) -> list[TaskEvent]:
    """Take a comment away. Raises NotFound, Forbidden."""
    old = _own(command, task, facts)
    return [TaskCommentDeleted(comments=Exchange((old,), ()))]


def check_authors(exchange: Exchange[Comment] | None, facts: Facts) -> None:
    """Refuse to undo what was done to somebody else's comment. Raises Forbidden."""
    touched = () if exchange is None else (*exchange.removed, *exchange.added)
    if any(comment.author_id != facts.actor_id for comment in touched):
        raise Forbidden("not_the_author")


def _own(command: EditComment | DeleteComment, task: Task, facts: Facts) -> Comment:
    """Return a comment of whoever asks, or of anybody if an owner does."""
    for found in task.comments:
        if found.id == command.comment_id:
            if found.author_id != facts.actor_id and not command.as_owner:
                raise Forbidden("not_the_author")
            return found
    raise NotFound("not_found")
