"""Tags, write side: the commands, the state they need, and the rules.

Pure: no I/O, no clock, no framework (a contract in pyproject.toml). Names are unique
in a workspace after NFKC and casefold, among the tags that are not deleted.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never
from uuid import UUID

from metacortex.events.tags import (
    STREAM,
    TagCreated,
    TagDeleted,
    TagEvent,
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
    Stream,
    Unset,
    change,
    changed,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertTag:
    """Put fields of a tag back; issued by an undo only."""

    tag_id: UUID
    changes: Mapping[str, Change[Any]]


TagCommand = CreateTag | EditTag | DeleteTag | MergeTag | RevertTag


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag as its rules see it; `name_key` is what must be unique."""

    name: str
    name_key: str
    colour: str | None
    deleted: bool = False
    merged_into: UUID | None = None


def name_key(name: str) -> str:
    """Return what two names that look alike have in common."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def needs(command: TagCommand) -> Sequence[Need]:
    """Name the streams and look-ups that the rules of a command read."""
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
        case RevertTag(changes=changes):
            named = [LookUp("tag.namesakes", command.tag_id)]
            if "name" in changes:
                named.append(LookUp("tag.named", name_key(changes["name"].new)))
            return [own, *named, tasks]
        case _:
            assert_never(command)


def decide(
    command: TagCommand, tag: Tag | None, facts: Facts
) -> Sequence[TagEvent | Elsewhere]:
    """Return what happens. Raises NotFound, Refused, Invalid."""
    if isinstance(command, CreateTag):
        return _create(command, tag, facts)
    if tag is None:
        raise NotFound("not_found")
    if isinstance(command, RevertTag):
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
    return [TagCreated(name=command.name, colour=command.colour)]


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


def _revert(
    command: RevertTag, tag: Tag, facts: Facts
) -> Sequence[TagEvent | Elsewhere]:
    if tag.deleted and "deleted" not in command.changes:
        raise Refused("tag_deleted")
    after = changed(tag, TagReverted(**command.changes))
    if not after.deleted and "name" in command.changes:
        _check_free(after.name, command.tag_id, facts)
    elif tag.deleted and not after.deleted:
        if others := facts.look_up("tag.namesakes", command.tag_id):
            raise Refused("name_taken", meta={"id": str(others[0].id)})
    events: list[TagEvent | Elsewhere] = [TagReverted(**command.changes)]
    if after.deleted and not tag.deleted:
        events.extend(_retag(facts, command.tag_id, None))
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


def evolve(tag: Tag | None, event: TagEvent) -> Tag:
    """Return the tag after the event."""
    if isinstance(event, TagCreated):
        return Tag(name=event.name, name_key=name_key(event.name), colour=event.colour)
    assert tag is not None, "a tag's first event is its creation"
    after = changed(tag, event)
    return replace(after, name_key=name_key(after.name))


def revert(tag_id: UUID, changes: Mapping[str, Change[Any]]) -> RevertTag:
    """Return the command that puts the fields back; undoing a birth deletes."""
    if "created" in changes:
        return RevertTag(tag_id=tag_id, changes={"deleted": Change(False, True)})
    return RevertTag(tag_id=tag_id, changes=changes)


DECIDER = Decider(
    stream_type=STREAM,
    state=Tag,
    commands={
        "tag.create": CreateTag,
        "tag.edit": EditTag,
        "tag.delete": DeleteTag,
        "tag.merge": MergeTag,
        "tag.revert": RevertTag,
    },
    creation_commands=(CreateTag,),
    stream_id=lambda command: command.tag_id,
    needs=needs,
    decide=decide,
    evolve=evolve,
    revert=revert,
)
