"""Tables against code: what is defined is registered, what is named exists."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

import metacortex
from metacortex.commands import people, projects, registry, tags, tasks
from metacortex.commands.batch import addressed
from metacortex.commands.tables import LOOK_UPS, STATES
from metacortex.commands.undo import REVERT, UNDO, Undo
from metacortex.events import codec
from metacortex.events import people as person_events
from metacortex.events import projects as project_events
from metacortex.events import tags as tag_events
from metacortex.events import tasks as task_events
from metacortex.kernel import errors
from metacortex.kernel.database import Table
from metacortex.kernel.decider import LookUp, Revert
from metacortex.kernel.errors import CODES
from tests.factories import OF

SOURCES = sorted(Path(metacortex.__file__).parent.rglob("*.py"))

COMMANDS: list[tuple[ModuleType, Any]] = [
    (tags, tags.TagCommand),
    (projects, projects.ProjectCommand),
    (tasks, tasks.TaskCommand),
    (people, people.PersonCommand),
]
EVENTS: list[tuple[Any, Any]] = [
    (tag_events, tag_events.TagEvent),
    (project_events, project_events.ProjectEvent),
    (task_events, task_events.TaskEvent),
    (person_events, person_events.PersonEvent),
]
MESSAGES: list[type[Any]] = [
    *(cls for _, union in [*COMMANDS, *EVENTS] for cls in get_args(union)),
    Undo,
    Revert,
]

META = {"workspace_id", "id", "version", "created_at", "updated_at"}


@pytest.mark.parametrize(("module", "union"), COMMANDS)
def test_every_command_of_a_union_has_a_name(module: Any, union: Any) -> None:
    assert set(module.DECIDER.commands.values()) == set(get_args(union))
    assert len(module.DECIDER.commands) == len(get_args(union))


@pytest.mark.parametrize(("module", "union"), EVENTS)
def test_every_event_of_a_union_has_a_name(module: Any, union: Any) -> None:
    assert set(module.EVENTS.values()) == set(get_args(union))
    assert len(module.EVENTS) == len(get_args(union))


@pytest.mark.parametrize(("module", "_"), [*COMMANDS, *EVENTS])
def test_every_message_of_a_file_is_in_its_union(module: Any, _: Any) -> None:
    (union,) = (union for owner, union in [*COMMANDS, *EVENTS] if owner is module)
    known = {*get_args(union), *(table.state for table in STATES.values())}
    found = {
        it
        for name, it in vars(module).items()
        if dataclasses.is_dataclass(it)
        and isinstance(it, type)
        and it.__module__.startswith(module.__name__)
        and name not in ("Due", "DueChange")  # parts of a task
        and not name.endswith(("Fields", "Edits"))  # what messages have in common
    }
    assert found <= known


def test_every_module_is_in_the_registry() -> None:
    assert set(registry.MODULES) == {module for module, _ in COMMANDS}
    assert set(codec.MODULES) == {module for module, _ in EVENTS}
    assert registry.COMMANDS[UNDO] is Undo
    assert registry.COMMANDS[REVERT] is Revert
    assert len(registry.COMMANDS) == 2 + sum(
        len(module.DECIDER.commands) for module in registry.MODULES
    )
    assert len(codec.CLASSES) == sum(len(module.EVENTS) for module in codec.MODULES)


def test_names_say_whose_they_are() -> None:
    for type, decider in registry.DECIDERS.items():
        assert decider.stream_type == type
        assert all(name.startswith(f"{type}.") for name in decider.commands)
    for module in codec.MODULES:
        assert all(name.startswith(f"{module.STREAM}.") for name in module.EVENTS)


@pytest.mark.parametrize("cls", MESSAGES)
def test_a_message_is_frozen_and_says_what_it_means(cls: type[Any]) -> None:
    parameters = cls.__dataclass_params__
    assert parameters.frozen
    assert hasattr(cls, "__slots__")
    assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")


def test_every_message_has_a_factory() -> None:
    assert set(OF) == set(MESSAGES)


@pytest.mark.parametrize("cls", MESSAGES)
def test_a_factory_makes_its_message(cls: type[Any]) -> None:
    assert type(OF[cls]()) is cls


@pytest.mark.parametrize("type", STATES)
def test_a_state_has_the_columns_of_its_table(type: str) -> None:
    table = STATES[type]
    columns = Table.metadata.tables[table.name].columns.keys()
    assert set(columns) - META == {it.name for it in dataclasses.fields(table.state)}
    assert META <= set(columns)


@pytest.mark.parametrize("type", registry.DECIDERS)
def test_a_decider_keeps_the_state_that_its_table_holds(type: str) -> None:
    assert registry.DECIDERS[type].state is STATES[type].state


@pytest.mark.parametrize("cls", [*registry.DECIDER_OF, Revert])
def test_the_needs_of_a_command_can_be_loaded(cls: type[Any]) -> None:
    command = OF[cls]()
    decider, _ = addressed(command)
    for need in decider.needs(command):
        assert (
            need.name in LOOK_UPS if isinstance(need, LookUp) else need.type in STATES
        )


def test_look_ups_find_streams_that_have_a_table() -> None:
    assert {table.finds for table in LOOK_UPS.values()} <= STATES.keys()


def raised() -> Iterator[tuple[str, str, str]]:
    """Return place, class and code of every error that the source makes."""
    classes = {name for name, it in vars(errors).items() if isinstance(it, type)}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id=name) | ast.Attribute(attr=name),
                    args=[ast.Constant(value=str(code)), *_],
                ) if (
                    name in classes
                ):
                    yield f"{path.name}:{node.lineno}", name, code


RAISED = list(raised())


@pytest.mark.parametrize(("place", "name", "code"), RAISED)
def test_an_error_is_made_with_a_listed_code_of_its_class(
    place: str, name: str, code: str
) -> None:
    assert code in CODES, place
    assert CODES[code][0].__name__ == name, place


def test_the_source_was_walked() -> None:
    assert len(RAISED) > 30


def test_every_code_is_said_somewhere() -> None:
    unused = set(CODES)
    for path in SOURCES:
        if path.name != "errors.py" or path.parent.name != "kernel":
            text = path.read_text(encoding="utf-8")
            unused -= {code for code in unused if f'"{code}"' in text}
    assert unused == set()
