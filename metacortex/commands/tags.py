"""Tags, write side: the commands, the state they need, and the rules.

Pure: no I/O, no clock, no framework (a contract in pyproject.toml). Names are unique
in a workspace after NFKC and casefold, among the tags that are not deleted.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import assert_never
from uuid import UUID

from metacortex.events.tags import (
    STREAM,
    TagCreated,
    TagDeleted,
    TagEvent,
    TagFields,
    TagMerged,
    TagRecoloured,
    TagRenamed,
    TagReverted,
)
from metacortex.events.tasks import TaskRetagged
from metacortex.kernel.decider import (
    UNSET,
    Change,
    Decider,
    Elsewhere,
    Facts,
    Found,
    LookUp,
    Need,
    Revert,
    Stream,
    Unset,
    birth,
    change,
    changed,
    changes_of,
    creation,
)
from metacortex.kernel.errors import Invalid, NotFound, Refused

NAME_LIMIT = 64  # a label that fits beside a task on a telephone


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTag:
    """Make a tag. A repeat with the same id is refused as `already_exists`."""

    tag_id: UUID
    name: str
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditTag:
    """Rename or recolour a tag. What equals the present value changes nothing."""

    tag_id: UUID
    name: str | Unset = UNSET
    colour: str | None | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTag:
    """Delete a tag; tasks only lose the tag. Deleting it again changes nothing."""

    tag_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeTag:
    """Let a tag go up in another: its tasks get that one. A repeat changes nothing."""

    tag_id: UUID
    into: UUID


TagCommand = CreateTag | EditTag | DeleteTag | MergeTag


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(TagFields):
    """A tag as its rules see it; `name_key` is what must be unique."""

    name_key: str
    deleted: bool = False
    merged_into: UUID | None = None


def name_key(name: str) -> str:
    """Return what two names that look alike have in common."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def needs(command: TagCommand | Revert) -> Sequence[Need]:
    """Name the streams and look-ups that the rules of a command read."""
    if isinstance(command, Revert):
        return _needs_to_revert(command)
    own = Stream(STREAM, command.tag_id)
    tasks = LookUp("tag.tasks", command.tag_id)
    match command:
        case CreateTag(name=name):
            return [own, LookUp("tag.named", name_key(name))]
        case EditTag(name=name):
            if isinstance(name, Unset):
                return [own]
            return [own, LookUp("tag.named", name_key(name))]
        case DeleteTag():
            return [own, tasks]
        case MergeTag(into=into):
            return [own, Stream(STREAM, into), tasks]
        case _:
            assert_never(command)


def _needs_to_revert(command: Revert) -> Sequence[Need]:
    id, name = command.stream_id, command.changes.get("name")
    found = [LookUp("tag.namesakes", id), LookUp("tag.tasks", id)]
    if name is not None:
        found.append(LookUp("tag.named", name_key(name.new)))
    return [Stream(STREAM, id), *found]


def decide(
    command: TagCommand | Revert, tag: Tag | None, facts: Facts
) -> Sequence[TagEvent | Elsewhere]:
    """Return what happens. Raises NotFound, Refused, Invalid."""
    if isinstance(command, CreateTag):
        return _create(command, tag, facts)
    if tag is None:
        raise NotFound("not_found")
    if isinstance(command, Revert):
        return _revert(command, tag, facts)
    if tag.deleted:
        return _on_deleted(command, tag)
    match command:
        case EditTag():
            return _edit(command, tag, facts)
        case DeleteTag(tag_id=tag_id):
            gone = TagDeleted(deleted=Change(False, True))
            return [gone, *_retag(facts, tag_id, None)]
        case MergeTag():
            return _merge(command, facts)
        case _:
            assert_never(command)


def _create(command: CreateTag, tag: Tag | None, facts: Facts) -> Sequence[TagEvent]:
    if tag is not None:
        raise Refused("already_exists")
    _check_free(command.name, command.tag_id, facts)
    return [creation(TagCreated, command)]


def _edit(command: EditTag, tag: Tag, facts: Facts) -> Sequence[TagEvent]:
    events: list[TagEvent] = []
    if (name := change(tag.name, command.name)) is not None:
        _check_free(name.new, command.tag_id, facts)
        events.append(TagRenamed(name=name))
    if (colour := change(tag.colour, command.colour)) is not None:
        events.append(TagRecoloured(colour=colour))
    return events


def _merge(command: MergeTag, facts: Facts) -> Sequence[TagEvent | Elsewhere]:
    target: Tag | None = facts.stream(STREAM, command.into)
    if command.into == command.tag_id:
        raise Refused("merge_into_itself")
    if target is None or target.deleted:
        raise Invalid("unknown_reference", source={"pointer": "/into"})
    merged = TagMerged(
        deleted=Change(False, True), merged_into=Change(None, command.into)
    )
    return [merged, *_retag(facts, command.tag_id, command.into)]


def _on_deleted(
    command: EditTag | DeleteTag | MergeTag, tag: Tag
) -> Sequence[TagEvent]:
    """A deleted tag takes no command, but a repeat of what deleted it is harmless."""
    if isinstance(command, DeleteTag):
        return []
    if isinstance(command, MergeTag) and tag.merged_into == command.into:
        return []
    raise Refused("tag_deleted")


def _revert(command: Revert, tag: Tag, facts: Facts) -> Sequence[TagEvent | Elsewhere]:
    """Put fields back; a creation is undone by a deletion."""
    id, changes = command.stream_id, command.changes
    if command.creation:
        changes = {"deleted": Change(False, True)}
    if tag.deleted and "deleted" not in changes:
        raise Refused("tag_deleted")
    reverted = TagReverted(**changes)
    after = changed(tag, reverted)
    if not after.deleted and "name" in changes:
        _check_free(after.name, id, facts)
    elif tag.deleted and not after.deleted:
        if others := facts.look_up("tag.namesakes", id):
            raise Refused("name_taken", meta={"id": str(others[0].id)})
    events: list[TagEvent | Elsewhere] = [reverted]
    if after.deleted and not tag.deleted:
        events.extend(_retag(facts, id, None))
    return events


def _check_free(name: str, tag_id: UUID, facts: Facts) -> None:
    """Refuse a name that another live tag has."""
    for other in facts.look_up("tag.named", name_key(name)):
        if other.id != tag_id:
            raise Refused("name_taken", meta={"id": str(other.id)})


def _retag(facts: Facts, tag_id: UUID, instead: UUID | None) -> list[Elsewhere]:
    """Take the tag off every task that has it, deleted and archived ones too."""
    return [
        Elsewhere(task.id, TaskRetagged(tags=_replaced(task, tag_id, instead)))
        for task in facts.look_up("tag.tasks", tag_id)
    ]


def _replaced(
    task: Found, tag_id: UUID, instead: UUID | None
) -> Change[tuple[UUID, ...]]:
    tags: tuple[UUID, ...] = task.state.tags
    kept = tuple(tag for tag in tags if tag != tag_id)
    add = () if instead is None or instead in kept else (instead,)
    return Change(tags, kept + add)


_born = birth(Tag, TagCreated, "name_key")


def evolve(tag: Tag | None, event: TagEvent) -> Tag:
    """Return the tag after the event."""
    if isinstance(event, TagCreated):
        return _born(event, name_key=name_key(event.name))
    assert tag is not None, "a tag's first event is its creation"
    renamed = changes_of(event).get("name")
    if renamed is None:
        return changed(tag, event)
    return changed(tag, event, name_key=name_key(renamed.new))


DECIDER = Decider(
    stream_type=STREAM,
    plural="tags",
    state=Tag,
    commands={
        "tag.create": CreateTag,
        "tag.edit": EditTag,
        "tag.delete": DeleteTag,
        "tag.merge": MergeTag,
    },
    creation_commands=(CreateTag,),
    stream_id=attrgetter("tag_id"),
    needs=needs,
    decide=decide,
    evolve=evolve,
)
