"""People, write side: the commands, the state they need, and the rules.

Pure: no I/O, no clock, no framework (a contract in pyproject.toml). A person's id
follows from workspace and user, so that each user is one person of a workspace. Who has
never told anything has no stream and the defaults of `Person`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from uuid import UUID

from metacortex.events.people import (
    STREAM,
    PersonCreated,
    PersonEdited,
    PersonEvent,
    PersonFields,
    PersonReverted,
    Theme,
    WeekStart,
)
from metacortex.kernel.decider import (
    UNSET,
    Change,
    Decider,
    Facts,
    Need,
    Revert,
    Stream,
    Unset,
    birth,
    change,
    changed,
    creation,
    edit,
)
from metacortex.kernel.errors import Forbidden, NotFound, Refused

NAME_LIMIT = 100  # a full name that fits beside a task
AVATAR_LIMIT = 2_000  # characters; about what browsers take of a URL


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPerson:
    """Introduce somebody who may not have called yet, so that tasks can be assigned.

    A repeat is refused as `already_exists`.
    """

    person_id: UUID
    user_id: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPerson:
    """Change one's own fields. What equals the present value changes nothing."""

    person_id: UUID
    name: str | None | Unset = UNSET
    avatar_url: str | None | Unset = UNSET
    time_zone: str | None | Unset = UNSET
    week_start: WeekStart | Unset = UNSET
    theme: Theme | Unset = UNSET


PersonCommand = AddPerson | EditPerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(PersonFields):
    """A person as the rules see them."""

    avatar_url: str | None = None
    time_zone: str | None = None
    week_start: WeekStart = "monday"
    theme: Theme = "system"
    joined: bool = False
    deleted: bool = False


def needs(command: PersonCommand | Revert) -> Sequence[Need]:
    """Name the streams and look-ups that the rules of a command read."""
    if isinstance(command, Revert):
        return [Stream(STREAM, command.stream_id)]
    return [Stream(STREAM, command.person_id)]


def decide(
    command: PersonCommand | Revert, person: Person | None, facts: Facts
) -> Sequence[PersonEvent]:
    """Return what happens. Raises NotFound, Refused, Forbidden."""
    if isinstance(command, AddPerson):
        return _add(command, person)
    if isinstance(command, EditPerson):
        return _edit(command, person, facts)
    if person is None:
        raise NotFound("not_found")
    return _revert(command, person, facts)


def _add(command: AddPerson, person: Person | None) -> Sequence[PersonEvent]:
    if person is None:
        return [creation(PersonCreated, command)]
    if not person.deleted:
        raise Refused("already_exists")
    name = change(person.name, command.name)
    return [PersonEdited(name=name, deleted=Change(True, False))]


def _edit(
    command: EditPerson, person: Person | None, facts: Facts
) -> Sequence[PersonEvent]:
    born = PersonCreated(user_id=facts.actor_id, name=None)
    before = evolve(None, born) if person is None else person
    _check_own(before, facts)
    edited = edit(
        PersonEdited, before, command, joined=before.joined, deleted=before.deleted
    )
    if edited is None:
        return []
    edited = edit(PersonEdited, before, command, joined=True, deleted=False)
    assert edited is not None
    return [born, edited] if person is None else [edited]


def _revert(command: Revert, person: Person, facts: Facts) -> Sequence[PersonEvent]:
    """Put fields back; until somebody has joined, others may take back what is known.

    An introduction is undone by a deletion.
    """
    if person.joined:
        _check_own(person, facts)
    changes = command.changes
    if command.creation:
        changes = {"deleted": Change(False, True)}
    return [PersonReverted(**changes)]


def _check_own(person: Person, facts: Facts) -> None:
    """Refuse what only the person themself may do."""
    if person.user_id != facts.actor_id:
        raise Forbidden("not_yourself")


_born = birth(Person, PersonCreated)


def evolve(person: Person | None, event: PersonEvent) -> Person:
    """Return the person after the event."""
    if isinstance(event, PersonCreated):
        return _born(event)
    assert person is not None, "a person's first event is their creation"
    return changed(person, event)


DECIDER = Decider(
    stream_type=STREAM,
    plural="people",
    state=Person,
    commands={"person.add": AddPerson, "person.edit": EditPerson},
    creation_commands=(AddPerson,),
    stream_id=attrgetter("person_id"),
    needs=needs,
    decide=decide,
    evolve=evolve,
)
