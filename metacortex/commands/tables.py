"""The state tables, one per aggregate, and the look-ups over them.

The columns are the fields of the state, by their types, after what all tables have.
A look-up has two halves: SQL that finds rows beforehand, and a function that answers
from what is loaded, so that earlier commands of a batch are reflected. They must agree;
a property test compares them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import sqlalchemy
from sqlalchemy import Boolean, Column, Index, Integer, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSON, TIMESTAMP, ExcludeConstraint
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from metacortex.commands.registry import DECIDERS
from metacortex.commands.states import CREATED, States
from metacortex.kernel.database import Table
from metacortex.kernel.decider import names_of
from metacortex.kernel.rank import effective_sql, of_creation

SCHEMA = "commands"
INSTANT = TIMESTAMP(timezone=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member as look-ups find one; members have no commands of their own here."""

    user_id: str
    role: str | None = None
    """What the last token said, None before the first."""


@dataclass(frozen=True, slots=True)
class StateTable:
    """Which table holds the states of a stream type."""

    name: str
    state: type[Any]


STATES: Mapping[str, StateTable] = {
    **{
        type: StateTable(f"{SCHEMA}.{decider.plural}", decider.state)
        for type, decider in DECIDERS.items()
    },
    "member": StateTable(f"{SCHEMA}.members", Member),
}

BESIDES: Mapping[str, Sequence[SchemaItem]] = {
    "tag": (
        ExcludeConstraint(
            ("workspace_id", "="),
            ("name_key", "="),
            name="ex_tags_live_name",
            using="btree",
            where=text("NOT deleted"),
            deferrable=True,  # in the midst of a statement names may change hands
        ),
    ),
    "task": (
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
        Index(
            "ix_tasks_rank",
            "workspace_id",
            text("coalesce(parent_id, workspace_id)"),
            text(effective_sql("rank")),  # COLLATE "C"
            "id",
        ),
        *(
            Index(
                f"ix_tasks_{name}",
                "workspace_id",
                f"{name}_id",
                postgresql_where=text(f"{name}_id IS NOT NULL"),
            )
            for name in ("section", "deleted_section")
        ),
    ),
    "section": (
        Index(
            "ix_sections_rank",
            "workspace_id",
            "project_id",
            text(effective_sql("rank")),  # COLLATE "C"
            "id",
        ),
    ),
    "member": (Index("uq_members_user", "workspace_id", "user_id", unique=True),),
    "person": (Index("uq_people_user", "workspace_id", "user_id", unique=True),),
}
"""Constraints, and the indexes of the look-ups below, by stream type."""

_SQL: Mapping[Any, TypeEngine[Any]] = {
    bool: Boolean(),
    int: Integer(),
    str: Text(),
    UUID: Uuid(),
    datetime: INSTANT,
    tuple[UUID, ...]: ARRAY(Uuid),
}


def _column(name: str, type: Any) -> Column[Any]:
    """Return the column of a state's field. Raises KeyError for an unknown type."""
    optional = get_origin(type) in (Union, UnionType)
    kinds = get_args(type) if optional else (type,)
    (kind,) = (it for it in kinds if it is not NoneType)
    if get_origin(kind) is Literal:
        kind = get_args(kind)[0].__class__
    of = get_args(kind)[0] if get_origin(kind) is tuple else kind
    sql = JSON() if is_dataclass(of) else _SQL[kind]
    return Column(name, sql, nullable=NoneType in kinds)


def _defined(type: str, table: StateTable) -> None:
    schema, _, name = table.name.partition(".")
    hints = get_type_hints(table.state)
    sqlalchemy.Table(
        name,
        Table.metadata,
        Column("workspace_id", Uuid(), primary_key=True),
        Column("id", Uuid(), primary_key=True),
        Column("version", Integer(), nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("updated_at", INSTANT, nullable=False),
        *(_column(name, hints[name]) for name in names_of(table.state)),
        *BESIDES.get(type, ()),
        schema=schema,
    )


for _type, _table in STATES.items():
    _defined(_type, _table)


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
    tags = states["tag"]
    return [id for id in states.by("tag", "name_key", key) if not tags[id].deleted]


def _tag_namesakes(states: States, tag_id: UUID) -> Iterable[UUID]:
    own = states["tag"].get(tag_id)
    if own is None:
        return []
    return [id for id in _tag_named(states, own.name_key) if id != tag_id]


def _tag_tasks(states: States, tag_id: UUID) -> Iterable[UUID]:
    return sorted(states.by("task", "tags", tag_id))


def _project_family(states: States, project_id: UUID) -> Iterable[UUID]:
    """The tasks of a project, those below and right above, parents before children."""
    tasks = states["task"]
    found = list(states.by("task", "project_id", project_id))
    family = set(found)
    for id in found:
        found.extend(new := [it for it in _below(states, id) if it not in family])
        family.update(new)
    above = (tasks[id].parent_id for id in found)
    family.update(id for id in above if id in tasks)
    return sorted(family, key=lambda id: (_depth(tasks, family, id), id))


def _closed_projects(states: States, key: str) -> Iterable[UUID]:
    """The archived and the deleted projects of the workspace, whatever the key."""
    projects = states["project"].items()
    return sorted(id for id, it in projects if it.archived or it.deleted)


def _depth(tasks: Mapping[UUID, Any], within: set[UUID], id: UUID) -> int:
    depth = 0
    while (above := tasks[id].parent_id) in within and depth < len(within):
        id, depth = above, depth + 1
    return depth


def _section_project(states: States, section_id: UUID) -> Iterable[UUID]:
    section = states["section"].get(section_id)
    return [] if section is None else [section.project_id]


def _section_tasks(states: States, section_id: UUID) -> Iterable[UUID]:
    """The tasks in a section, or that were in it when it was deleted."""
    names = ("section_id", "deleted_section_id")
    return sorted({id for it in names for id in states.by("task", it, section_id)})


def _section_neighbours(states: States, section_id: UUID) -> Iterable[UUID]:
    return _neighbours(states, "section", section_id, "project_id")


def _task_section(states: States, task_id: UUID) -> Iterable[UUID]:
    task = states["task"].get(task_id)
    return [] if task is None or task.section_id is None else [task.section_id]


def _task_project(states: States, task_id: UUID) -> Iterable[UUID]:
    task = states["task"].get(task_id)
    return [] if task is None or task.project_id is None else [task.project_id]


def _task_project_known(states: States, task_id: UUID) -> bool:
    task = states["task"].get(task_id)
    if task is None:
        return False
    return task.project_id is None or task.project_id in states["project"]


def _task_ancestors(states: States, task_id: UUID) -> Iterable[UUID]:
    """The task itself, its parent, and so on up."""
    tasks, path, at = states["task"], [], task_id
    while at in tasks and at not in path:
        path.append(at)
        at = tasks[at].parent_id
    return path


def _task_ancestors_known(states: States, task_id: UUID) -> bool:
    tasks = states["task"]
    path = _task_ancestors(states, task_id)
    return bool(path) and tasks[path[-1]].parent_id is None  # type: ignore[index]


def _task_subtree(states: States, task_id: UUID) -> Iterable[UUID]:
    """Everything below the task, parents before their children."""
    found = sorted(_below(states, task_id))
    for id in found:
        found.extend(sorted(_below(states, id)))
    return found


def _below(states: States, task_id: UUID) -> Collection[UUID]:
    return states.by("task", "parent_id", task_id)


def _neighbours(states: States, type: str, id: UUID, home: str) -> Iterable[UUID]:
    """The stream itself, between the siblings that are next to it by rank.

    Siblings have the same value in the field `home`.
    One on each side is enough, though earlier commands of a batch may have moved them
    away: what is moved needs its own neighbours, so that whoever takes its place is
    loaded as well (docs/decisions/0017-order.md).
    """
    of_type, created = states[type], states[CREATED]
    own = of_type.get(id)
    if own is None:
        return []
    ranks = [
        (of_type[other].rank or of_creation(created[other], other), other)
        for other in states.by(type, home, getattr(own, home))
    ]
    at = own.rank or of_creation(created[id], id)
    below = max((it for it in ranks if it[0] < at), default=None)
    above = min((it for it in ranks if it[0] > at), default=None)
    return [it[1] for it in (below, (at, id), above) if it is not None]


def _neighbours_sql(table: str, home: str) -> str:
    """Return the SQL of such a look-up: two steps in an index, one in each direction.

    `home` is the SQL of what siblings share; `{0}` stands for their row.
    """
    own, other = (
        f'{effective_sql(f"{row}rank", row)} COLLATE "C"' for row in ("o.", "s.")
    )
    sides = " UNION ALL ".join(
        f"(SELECT s.workspace_id, s.id FROM {table} s"
        f" WHERE s.workspace_id = o.workspace_id"
        f" AND {home.format('s')} = {home.format('o')} AND {other} {sign} {own}"
        f" ORDER BY {other} {order}, s.id {order} LIMIT 1)"
        for sign, order in (("<", "DESC"), (">", "ASC"))
    )
    return (
        f"SELECT n.workspace_id, n.id FROM keys JOIN {table} o ON o.workspace_id = w"
        " AND o.id = k::uuid CROSS JOIN LATERAL (SELECT o.workspace_id, o.id"
        f" UNION ALL {sides}) n"
    )


def _task_neighbours(states: States, task_id: UUID) -> Iterable[UUID]:
    return _neighbours(states, "task", task_id, "parent_id")


def _member(states: States, user_id: str) -> Iterable[UUID]:
    return states.by("member", "user_id", user_id)


def _person(states: States, user_id: str) -> Iterable[UUID]:
    people = states["person"]
    found = states.by("person", "user_id", user_id)
    return [id for id in found if not people[id].deleted]


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
    "section.project": LookUpTable(
        "project",
        """SELECT s.workspace_id, s.project_id AS id FROM keys JOIN commands.sections s
        ON s.workspace_id = w AND s.id = k::uuid""",
        _section_project,
    ),
    "section.tasks": LookUpTable(
        "task",
        """SELECT t.workspace_id, t.id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND t.section_id = k::uuid
        UNION SELECT t.workspace_id, t.id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND t.deleted_section_id = k::uuid""",
        _section_tasks,
    ),
    "section.neighbours": LookUpTable(
        "section",
        _neighbours_sql("commands.sections", "{0}.project_id"),
        _section_neighbours,
    ),
    "task.section": LookUpTable(
        "section",
        """SELECT t.workspace_id, t.section_id AS id FROM keys JOIN commands.tasks t
        ON t.workspace_id = w AND t.id = k::uuid AND t.section_id IS NOT NULL""",
        _task_section,
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
    "task.neighbours": LookUpTable(
        "task",
        _neighbours_sql("commands.tasks", "coalesce({0}.parent_id, {0}.workspace_id)"),
        _task_neighbours,
    ),
    "member.named": LookUpTable(
        "member",
        """SELECT m.workspace_id, m.id FROM keys JOIN commands.members m
        ON m.workspace_id = w AND m.user_id = k""",
        _member,
    ),
    "person.named": LookUpTable(
        "person",
        """SELECT p.workspace_id, p.id FROM keys JOIN commands.people p
        ON p.workspace_id = w AND p.user_id = k AND NOT p.deleted""",
        _person,
    ),
}
