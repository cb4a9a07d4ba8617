"""A field that is said somewhere is said everywhere: what is forgotten is named here.

What one declaration gives to another cannot be forgotten; these laws hold together what
is written twice: events, states and rows, commands, bodies and filters.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_type_hints
from uuid import UUID

import pytest

from metacortex.api import modules
from metacortex.api.pages import ListParameters
from metacortex.commands.registry import COMMANDS, DECIDERS, NAMES, STREAM_OF
from metacortex.commands.tables import STATES
from metacortex.events import codec
from metacortex.events.tasks import Due
from metacortex.kernel.decider import Change, changes_of, names_of
from metacortex.kernel.ids import new_id
from metacortex.queries.fold import fold
from metacortex.queries.page import ListQuery
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import KEPT
from tests.commands.memory import Memory
from tests.factories import (
    OF,
    CreateProjectFactory,
    CreateTagFactory,
    CreateTaskFactory,
    EditTaskFactory,
)
from tests.queries.spec import recorded
from tests.spec import ME
from tests.values import two

TYPES = list(DECIDERS)

CREATED = [
    (type, name)
    for type in TYPES
    for name in names_of(codec.CLASSES[f"{type}.created"])
]
CHANGED = [
    (cls, name)
    for cls in codec.CLASSES.values()
    for name, hint in get_type_hints(cls).items()
    if "Change[" in str(hint)
]
"""Event classes and the fields that they may change."""

NEVER = {("person", "user_id")}
"""Fields of states that never change: the stream's id is made of them."""

CREATES: Mapping[str, str] = {
    type: NAMES[decider.creation_commands[0]].partition(".")[2]
    for type, decider in DECIDERS.items()
}
"""The verb of the command that creates, by stream type."""

MADE_OF: Mapping[tuple[str, str], str] = {("tag", "name_key"): "name"}
"""Fields of states that others are made of."""


@pytest.mark.parametrize(("type", "name"), CREATED)
def test_a_field_of_a_creation_reaches_state_and_row(type: str, name: str) -> None:
    cls = codec.CLASSES[f"{type}.created"]
    value, _ = two(get_type_hints(cls)[name])
    event = OF[cls](**{name: value})
    state = DECIDERS[type].evolve(None, event)
    row = PROJECTIONS[type].project(None, recorded(event))
    assert getattr(state, name, "missing") == value, f"not in the state: {name}"
    assert getattr(row, name, "missing") == value, f"not in the row: {name}"


@pytest.mark.parametrize(("cls", "name"), CHANGED)
def test_a_change_reaches_state_and_row(cls: type[Any], name: str) -> None:
    type = STREAM_OF[cls]
    there, _ = two(get_type_hints(cls)[name])
    born = OF[codec.CLASSES[f"{type}.created"]]()
    event = OF[cls](**{name: there})
    state = DECIDERS[type].evolve(DECIDERS[type].evolve(None, born), event)
    project = PROJECTIONS[type].project
    row = project(project(None, recorded(born)), recorded(event, 2))
    assert getattr(state, name) == there.new, f"not in the state: {name}"
    assert getattr(row, name) == there.new, f"not in the row: {name}"


@pytest.mark.parametrize(("cls", "name"), CHANGED)
def test_what_may_change_may_be_reverted(cls: type[Any], name: str) -> None:
    reverted = codec.CLASSES[f"{STREAM_OF[cls]}.reverted"]
    hints = get_type_hints(reverted)
    assert name in hints, f"{reverted.__name__} lacks {name}, which {cls} changes"
    optional = get_type_hints(cls)[name] | None
    assert hints[name] == optional, f"{reverted.__name__}.{name} is of another type"


@pytest.mark.parametrize("type", TYPES)
def test_every_field_of_a_state_can_change(type: str) -> None:
    reverted = names_of(codec.CLASSES[f"{type}.reverted"])
    fields = {MADE_OF.get((type, it), it) for it in names_of(DECIDERS[type].state)}
    assert fields - {name for of, name in NEVER if of == type} == set(reverted)


@pytest.mark.parametrize("type", TYPES)
def test_a_row_shows_what_the_state_has(type: str) -> None:
    made = {name for of, name in MADE_OF if of == type}
    shown = {"id", "version", "created_at", "updated_at", *KEPT}
    state, row = DECIDERS[type].state, PROJECTIONS[type].row
    assert set(names_of(row)) - shown == set(names_of(state)) - made


TAG, PROJECT, PARENT, OWN = (new_id() for _ in range(4))
REFERENCES: Mapping[str, Any] = {
    "project_id": PROJECT,
    "parent_id": PARENT,
    "assignee_id": ME,
    "tags": (TAG,),
    "add_tags": (TAG,),
    "remove_tags": (TAG,),
}
"""Values that must name something; whatever else is of the field's type will do."""

SETS = [
    (type, verb, name)
    for type in TYPES
    for verb in (CREATES[type], "edit")
    for name in names_of(COMMANDS[f"{type}.{verb}"])[1:]
]
"""The fields of the commands that create and edit, after the id."""


def furnished() -> Memory:
    """Return a workspace with what tasks may refer to."""
    memory = Memory()
    memory.do(CreateTagFactory(tag_id=TAG))
    memory.do(CreateProjectFactory(project_id=PROJECT))
    memory.do(CreateTaskFactory(task_id=PARENT))
    return memory


def command(type: str, verb: str, **values: Any) -> Any:
    """Return a command about our own resource that says nothing else."""
    cls = COMMANDS[f"{type}.{verb}"]
    own = {names_of(cls)[0]: OWN}
    if verb == CREATES[type]:
        return OF[cls](**own, **values)
    return cls(**own, **values)


def value_of(type: str, verb: str, name: str, present: Any) -> Any:
    """Return a value for a field of a command, another than the present one."""
    hint = get_type_hints(COMMANDS[f"{type}.{verb}"])[name]
    return REFERENCES.get(name) or next(it for it in two(hint) if it != present)


def row(memory: Memory) -> Any:
    """Return the row of our own resource, as the read side folds it."""
    return fold(it for it in memory.log if it.stream_id == OWN)


@pytest.mark.parametrize(
    ("type", "name"),
    [(type, name) for type, verb, name in SETS if verb == CREATES[type]],
)
def test_what_a_creation_asks_for_is_there(type: str, name: str) -> None:
    plain = getattr(command(type, CREATES[type]), name)
    memory, value = furnished(), value_of(type, CREATES[type], name, plain)
    memory.do(command(type, CREATES[type], **{name: value}))
    assert getattr(memory.state(OWN), name) == value
    assert getattr(row(memory), name) == value


@pytest.mark.parametrize(
    ("type", "name"), [(type, name) for type, verb, name in SETS if verb == "edit"]
)
def test_what_an_edit_asks_for_is_there_and_its_undo_takes_it_back(
    type: str, name: str
) -> None:
    memory = furnished()
    memory.do(command(type, CREATES[type]))
    if name == "remove_tags":
        memory.do(EditTaskFactory(task_id=OWN, add_tags=(TAG,)))
    before, shown = memory.state(OWN), row(memory)
    value = value_of(type, "edit", name, getattr(before, name, None))
    done = memory.do(command(type, "edit", **{name: value}))
    after = memory.state(OWN)
    assert after != before and row(memory) != shown, f"edit forgets {name}"
    if name in names_of(DECIDERS[type].state):
        assert getattr(after, name) == getattr(row(memory), name) == value
    undone = memory.undo(done)
    assert memory.state(OWN) == before, f"undo forgets {name}"
    assert plain(row(memory)) == plain(shown)
    memory.undo(undone)
    assert memory.state(OWN) == after


def plain(row: Any) -> Any:
    """Return a row without what tells its versions apart."""
    return replace(row, version=0, updated_at=row.created_at)


@pytest.mark.parametrize("type", TYPES)
def test_what_is_created_can_be_asked_for(type: str) -> None:
    created = set(names_of(codec.CLASSES[f"{type}.created"]))
    assert created == set(names_of(COMMANDS[f"{type}.{CREATES[type]}"])[1:])


SAID_OTHERWISE: Mapping[str, Mapping[str, set[str]]] = {
    "task.edit": {"tags": {"add_tags", "remove_tags"}},
}
"""Fields of bodies that mean other fields of commands."""


@pytest.mark.parametrize("name", modules.COMMANDS)
def test_a_body_takes_what_its_command_takes(name: str) -> None:
    otherwise = SAID_OTHERWISE.get(name, {})
    said: set[str] = set()
    for field in set(modules.COMMANDS[name].body.model_fields) - {"id"}:
        said |= otherwise.get(field, {field})
    asked = set(names_of(COMMANDS[name])[1:]) - {"comment_id"}  # made of the command's
    assert said == asked


LISTED = [it for it in modules.MODULES if it.listing is not None]


@pytest.mark.parametrize("module", LISTED, ids=lambda it: it.plural)
def test_a_list_takes_the_filters_that_its_query_has(module: Any) -> None:
    parameters = set(module.listing.parameters.model_fields)
    own = set(names_of(module.listing.query)) - set(names_of(ListQuery)) - {"now"}
    assert parameters - set(ListParameters.model_fields) == own


@pytest.mark.parametrize("module", modules.MODULES, ids=lambda it: it.plural)
def test_a_module_is_called_the_same_everywhere(module: Any) -> None:
    type, plural = module.stream_type, module.plural
    assert DECIDERS[type].plural == plural
    assert STATES[type].name == f"commands.{plural}"
    assert PROJECTIONS[type].table == f"queries.{plural}"
    assert module.listing is None or module.listing.query.table == f"queries.{plural}"
    assert PROJECTIONS[type].row is module.row


def test_the_laws_see_changes() -> None:
    there, back = two(Change[Due])
    assert there.old == back.new != there.new
    assert changes_of(OF[codec.CLASSES["task.edited"]](due=there)) == {
        "due": there,
        "priority": Change("medium", "high"),
    }
    assert len(CHANGED) > 40 and isinstance(OWN, UUID)
