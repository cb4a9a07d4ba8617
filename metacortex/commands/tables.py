"""The state tables, one per aggregate, and the look-ups over them.

A state's fields are the columns of the same names; the repository adds nothing else.
A look-up has two halves: SQL that finds rows beforehand, and a function that answers
from what is loaded, so that earlier commands of a batch are reflected. They must agree;
a property test compares them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSON, TIMESTAMP, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.commands.projects import Project
from metacortex.commands.tags import Tag
from metacortex.commands.tasks import Task
from metacortex.kernel.database import Table

SCHEMA = "commands"
INSTANT = TIMESTAMP(timezone=True)


class _State(Table):
    """What every state table has besides the fields of its state."""

    __abstract__ = True

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    updated_at: Mapped[datetime] = mapped_column(INSTANT)


class TagTable(_State):
    """State of tags; live names are unique.

    At the end of a statement: in the midst of it names may change hands.
    """

    __tablename__ = "tags"
    __table_args__ = (
        ExcludeConstraint(
            ("workspace_id", "="),
            ("name_key", "="),
            name="ex_tags_live_name",
            using="btree",
            where=text("NOT deleted"),
            deferrable=True,
        ),
        {"schema": SCHEMA},
    )

    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text)
    colour: Mapped[str | None] = mapped_column(Text)
    deleted: Mapped[bool]
    merged_into: Mapped[UUID | None]


class ProjectTable(_State):
    """State of projects."""

    __tablename__ = "projects"
    __table_args__ = ({"schema": SCHEMA},)

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    colour: Mapped[str | None] = mapped_column(Text)
    archived: Mapped[bool]
    deleted: Mapped[bool]


class TaskTable(_State):
    """State of tasks; both indexes serve look-ups below."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index(
            "ix_tasks_parent",
            "workspace_id",
            "parent_id",
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        Index(
            "ix_tasks_project",
            "workspace_id",
            "project_id",
            postgresql_where=text("project_id IS NOT NULL"),
        ),
        {"schema": SCHEMA},
    )

    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text)
    due: Mapped[Any | None] = mapped_column(JSON)
    project_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]
    tags: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    assignee_id: Mapped[str | None] = mapped_column(Text)
    blocked_reason: Mapped[str | None] = mapped_column(Text)
    completed_at: Mapped[datetime | None] = mapped_column(INSTANT)
    archived: Mapped[bool]
    deleted: Mapped[bool]
    deleted_with: Mapped[UUID | None]


class MemberTable(_State):
    """Who has shown a token of the workspace; tasks are assigned to these."""

    __tablename__ = "members"
    __table_args__ = (
        Index("uq_members_user", "workspace_id", "user_id", unique=True),
        {"schema": SCHEMA},
    )

    user_id: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member as look-ups find one; members have no commands of their own here."""

    user_id: str


@dataclass(frozen=True, slots=True)
class StateTable:
    """Which table holds the states of a stream type."""

    name: str
    state: type[Any]


STATES: Mapping[str, StateTable] = {
    "tag": StateTable("commands.tags", Tag),
    "project": StateTable("commands.projects", Project),
    "task": StateTable("commands.tasks", Task),
    "member": StateTable("commands.members", Member),
}

States = Mapping[str, Mapping[UUID, Any]]
"""Loaded states of one workspace by stream type and id."""


@dataclass(frozen=True, slots=True)
class LookUpTable:
    """How a look-up finds: `sql` reads `keys(w, k)` and gives workspace and id.

    `known` tells whether all that it finds is certain to be loaded.
    """

    finds: str
    sql: str
    resolve: Callable[[States, Any], Iterable[UUID]]
    known: Callable[[States, Any], bool] = lambda states, key: False


def _tag_named(states: States, key: str) -> Iterable[UUID]:
    tags = states.get("tag", {})
    return [id for id, tag in tags.items() if tag.name_key == key and not tag.deleted]


def _tag_namesakes(states: States, tag_id: UUID) -> Iterable[UUID]:
    own = states.get("tag", {}).get(tag_id)
    if own is None:
        return []
    return [id for id in _tag_named(states, own.name_key) if id != tag_id]


def _tag_tasks(states: States, tag_id: UUID) -> Iterable[UUID]:
    tasks = states.get("task", {})
    return sorted(id for id, task in tasks.items() if tag_id in task.tags)


def _project_family(states: States, project_id: UUID) -> Iterable[UUID]:
    """The tasks of a project, those below and right above, parents before children."""
    tasks, below = states.get("task", {}), _children(states)
    found = [id for id, task in tasks.items() if task.project_id == project_id]
    family = set(found)
    for id in found:
        found.extend(new := [it for it in below.get(id, ()) if it not in family])
        family.update(new)
    above = (tasks[id].parent_id for id in found)
    family.update(id for id in above if id in tasks)
    return sorted(family, key=lambda id: (_depth(tasks, family, id), id))


def _closed_projects(states: States, key: str) -> Iterable[UUID]:
    """The archived and the deleted projects of the workspace, whatever the key."""
    projects = states.get("project", {}).items()
    return sorted(id for id, it in projects if it.archived or it.deleted)


def _depth(tasks: Mapping[UUID, Any], within: set[UUID], id: UUID) -> int:
    depth = 0
    while (above := tasks[id].parent_id) in within and depth < len(within):
        id, depth = above, depth + 1
    return depth


def _task_project(states: States, task_id: UUID) -> Iterable[UUID]:
    task = states.get("task", {}).get(task_id)
    return [] if task is None or task.project_id is None else [task.project_id]


def _task_project_known(states: States, task_id: UUID) -> bool:
    task = states.get("task", {}).get(task_id)
    if task is None:
        return False
    return task.project_id is None or task.project_id in states.get("project", {})


def _task_ancestors(states: States, task_id: UUID) -> Iterable[UUID]:
    """The task itself, its parent, and so on up."""
    tasks, path, at = states.get("task", {}), [], task_id
    while at in tasks and at not in path:
        path.append(at)
        at = tasks[at].parent_id
    return path


def _task_ancestors_known(states: States, task_id: UUID) -> bool:
    tasks = states.get("task", {})
    path = _task_ancestors(states, task_id)
    return bool(path) and tasks[path[-1]].parent_id is None  # type: ignore[index]


def _task_subtree(states: States, task_id: UUID) -> Iterable[UUID]:
    """Everything below the task, parents before their children."""
    below = _children(states)
    found = sorted(below.get(task_id, ()))
    for id in found:
        found.extend(sorted(below.get(id, ())))
    return found


def _children(states: States) -> Mapping[UUID, list[UUID]]:
    below: dict[UUID, list[UUID]] = {}
    for id, task in states.get("task", {}).items():
        if task.parent_id is not None:
            below.setdefault(task.parent_id, []).append(id)
    return below


def _member(states: States, user_id: str) -> Iterable[UUID]:
    members = states.get("member", {})
    return [id for id, member in members.items() if member.user_id == user_id]


LOOK_UPS: Mapping[str, LookUpTable] = {
    "tag.named": LookUpTable(
        "tag",
        """SELECT t.workspace_id, t.id FROM keys JOIN commands.tags t
        ON t.workspace_id = w AND t.name_key = k AND NOT t.deleted""",
        _tag_named,
    ),
    "tag.namesakes": LookUpTable(
        "tag",
        """SELECT t.workspace_id, t.id FROM keys JOIN commands.tags o
        ON o.workspace_id = w AND o.id = k::uuid JOIN commands.tags t
        ON t.workspace_id = w AND t.name_key = o.name_key AND NOT t.deleted""",
        _tag_namesakes,
    ),
    "tag.tasks": LookUpTable(
        "task",
        """SELECT t.workspace_id, t.id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND k::uuid = ANY (t.tags)""",
        _tag_tasks,
    ),
    "project.family": LookUpTable(
        "task",
        """WITH RECURSIVE below AS (
        SELECT t.workspace_id, t.id, t.parent_id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND t.project_id = k::uuid
        UNION SELECT t.workspace_id, t.id, t.parent_id FROM below
        JOIN commands.tasks t ON t.workspace_id = below.workspace_id
        AND t.parent_id = below.id)
        SELECT workspace_id, id FROM below
        UNION SELECT workspace_id, parent_id FROM below WHERE parent_id IS NOT NULL""",
        _project_family,
    ),
    "project.closed": LookUpTable(
        "project",
        """SELECT DISTINCT p.workspace_id, p.id FROM keys JOIN commands.projects p
        ON p.workspace_id = w AND (p.archived OR p.deleted)""",
        _closed_projects,
    ),
    "task.project": LookUpTable(
        "project",
        """SELECT t.workspace_id, t.project_id AS id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND t.id = k::uuid AND t.project_id IS NOT NULL""",
        _task_project,
        _task_project_known,
    ),
    "task.ancestors": LookUpTable(
        "task",
        """SELECT t.workspace_id, t.id, t.parent_id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND t.id = k::uuid
        UNION SELECT t.workspace_id, t.id, t.parent_id FROM self
        JOIN commands.tasks t ON t.workspace_id = self.workspace_id
        AND t.id = self.parent_id""",
        _task_ancestors,
        _task_ancestors_known,
    ),
    "task.subtree": LookUpTable(
        "task",
        """SELECT t.workspace_id, t.id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND t.parent_id = k::uuid
        UNION SELECT t.workspace_id, t.id FROM self
        JOIN commands.tasks t ON t.workspace_id = self.workspace_id
        AND t.parent_id = self.id""",
        _task_subtree,
    ),
    "member.named": LookUpTable(
        "member",
        """SELECT m.workspace_id, m.id FROM keys JOIN commands.members m
        ON m.workspace_id = w AND m.user_id = k""",
        _member,
    ),
}
