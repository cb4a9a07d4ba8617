"""What several rules of tasks check: places, projects, tags, assignees."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from metacortex.commands.tasks.commands import DEPTH_LIMIT, NAMED_LIMIT, TAG_LIMIT
from metacortex.commands.tasks.state import Task
from metacortex.kernel.decider import Facts, Found
from metacortex.kernel.errors import Invalid, Refused, UndoConflict


class _Project(Protocol):
    """What the rules of tasks read of a project."""

    archived: bool
    deleted: bool


def closed_projects(facts: Facts) -> Mapping[UUID, _Project]:
    """Return the archived and the deleted projects of the workspace, by id."""
    return {found.id: found.state for found in facts.look_up("project.closed", "")}


def check_along(tasks: Iterable[Found], facts: Facts) -> None:
    """Refuse to delete or restore along a task whose own project is closed."""
    closed = closed_projects(facts)
    for task in tasks:
        if (project := closed.get(task.state.project_id)) is not None:
            _check_open(task.state.project_id, project)


def _check_open(project_id: UUID, project: _Project) -> None:
    if project.deleted:
        raise Refused("project_deleted", meta={"project_id": str(project_id)})
    if project.archived:
        raise Refused("project_archived", meta={"project_id": str(project_id)})


def check_alone(task_id: UUID, facts: Facts) -> None:
    """Refuse to undo the birth of a task that has live subtasks by now."""
    live = [
        found
        for found in facts.look_up("task.subtree", task_id)
        if not found.state.deleted
    ]
    if live:
        raise UndoConflict("undo_conflict", meta=named(live))


def named(tasks: Sequence[Found]) -> dict[str, Any]:
    """Return ids for a refusal to list, and how many there are."""
    ids = [str(task.id) for task in tasks[:NAMED_LIMIT]]
    return {"tasks": ids, "count": len(tasks)}


def open_parent(parent_id: UUID | None, facts: Facts) -> Task | None:
    """Return the parent, which must take new subtasks. Raises Invalid, Refused.

    A completed or cancelled one does: what it is about may turn out to be more.
    """
    parent = live_parent(parent_id, facts)
    if parent is None or parent_id is None:
        return None
    if parent.archived:
        raise Refused("parent_archived", meta={"parent_id": str(parent_id)})
    check_project(facts.look_up("task.project", parent_id))
    return parent


def live_parent(parent_id: UUID | None, facts: Facts) -> Task | None:
    """Return the parent, which must be live. Raises Invalid, Refused."""
    if parent_id is None:
        return None
    above = facts.look_up("task.ancestors", parent_id)
    if not above:
        raise Invalid("unknown_reference", source={"pointer": "/parent_id"})
    parent: Task = above[0].state
    if parent.deleted:
        raise Refused("parent_deleted", meta={"parent_id": str(parent_id)})
    return parent


def check_place(task_id: UUID, parent_id: UUID | None, facts: Facts) -> None:
    """Refuse a place below the task itself, or too deep for its subtree."""
    if parent_id is None:
        return
    above = [found.id for found in facts.look_up("task.ancestors", parent_id)]
    if task_id in above:
        path = [*reversed(above[: above.index(task_id) + 1]), task_id]
        raise Refused("cycle_detected", meta={"path": [str(step) for step in path]})
    check_depth(len(above) + _height(task_id, facts))


def _height(task_id: UUID, facts: Facts) -> int:
    """Return how many levels the task and its subtree span."""
    level = {task_id: 1}
    for found in facts.look_up("task.subtree", task_id):
        level[found.id] = level[found.state.parent_id] + 1
    return max(level.values())


def check_depth(depth: int) -> None:
    """Refuse more levels than a tree may have."""
    if depth > DEPTH_LIMIT:
        raise Refused("depth_exceeded", meta={"limit": DEPTH_LIMIT, "depth": depth})


def check_present(task: Task) -> None:
    """Refuse a deleted task."""
    if task.deleted:
        raise Refused("task_deleted")


def check_project(found: Sequence[Found]) -> None:
    """Refuse whatever would touch a task of an archived project."""
    for project in found:
        if project.state.archived:
            raise Refused("project_archived", meta={"project_id": str(project.id)})


def check_target(project_id: UUID, facts: Facts) -> None:
    """Refuse a project that cannot take tasks. Raises Invalid, Refused."""
    project: _Project | None = facts.stream("project", project_id)
    if project is None:
        raise Invalid("unknown_reference", source={"pointer": "/project_id"})
    _check_open(project_id, project)


def checked_tags(tags: Iterable[UUID], facts: Facts, pointer: str) -> tuple[UUID, ...]:
    """Return the tags, which must all be live. Raises Invalid."""
    for tag_id in tags:
        tag = facts.stream("tag", tag_id)
        if tag is None or tag.deleted:
            source, meta = {"pointer": pointer}, {"tag_id": str(tag_id)}
            raise Invalid("unknown_reference", source=source, meta=meta)
    return tuple(tags)


def check_tags_back(tags: Iterable[UUID], facts: Facts) -> None:
    """Refuse to put back a tag that is deleted by now."""
    for tag_id in tags:
        tag = facts.stream("tag", tag_id)
        if tag is None or tag.deleted:
            raise Refused("tag_deleted", meta={"tag_id": str(tag_id)})


def distinct(tags: Iterable[UUID]) -> tuple[UUID, ...]:
    """Return each tag once, in order. Raises Refused for too many."""
    found = tuple(dict.fromkeys(tags))
    if len(found) > TAG_LIMIT:
        raise Refused("too_many_tags", meta={"limit": TAG_LIMIT})
    return found


def check_assignee(assignee_id: str | None, facts: Facts) -> None:
    """Refuse an assignee who has not called and was not introduced. Raises Invalid."""
    if assignee_id is None or assignee_id == facts.actor_id:
        return
    known = facts.look_up("member.named", assignee_id)
    if not (known or facts.look_up("person.named", assignee_id)):
        raise Invalid("member_unknown", source={"pointer": "/assignee_id"})
