"""Tags: one live name each, gone softly, and every task of a gone tag says so."""

from typing import Any
from uuid import UUID

import pytest

from metacortex.commands.tags import name_key
from metacortex.events.tags import (
    TagCreated,
    TagDeleted,
    TagMerged,
    TagRecoloured,
    TagRenamed,
    TagReverted,
)
from metacortex.events.tasks import TaskRetagged
from metacortex.kernel.decider import Change, Elsewhere
from metacortex.kernel.ids import new_id
from tests.factories import (
    OFF,
    ON,
    CreateTagFactory,
    DeleteTagFactory,
    EditTagFactory,
    MergeTagFactory,
    RevertFactory,
    TagCreatedFactory,
    TagDeletedFactory,
    TagMergedFactory,
    TaskArchivedFactory,
    TaskCreatedFactory,
    TaskDeletedFactory,
)
from tests.spec import Given, given, when

TAG, OTHER, THIRD = new_id(), new_id(), new_id()


def tagged(*tags: UUID) -> tuple[UUID, Elsewhere]:
    """Return a task that has these tags, and its birth."""
    task_id = new_id()
    return task_id, Elsewhere(task_id, TaskCreatedFactory(tags=tags))


def merged() -> Given:
    """Return a workspace where TAG went up in OTHER."""
    return given(
        Elsewhere(OTHER, TagCreatedFactory()),
        Elsewhere(TAG, TagCreatedFactory(name="Errands")),
        Elsewhere(TAG, TagMergedFactory(merged_into=Change(None, OTHER))),
    )


def test_a_tag_is_made_with_its_name_and_colour() -> None:
    when(CreateTagFactory(name="Errands", colour="red")).then(
        TagCreated(name="Errands", colour="red")
    )


def test_an_id_is_used_once() -> None:
    given(TagCreatedFactory()).when(CreateTagFactory()).then_refused("already_exists")
    given(TagCreatedFactory(), TagDeletedFactory()).when(
        CreateTagFactory()
    ).then_refused("already_exists")


@pytest.mark.parametrize(
    ("taken", "wanted"),
    [
        ("Errands", "errands"),
        ("straße", "STRASSE"),
        ("Café", "CAFE\u0301"),
        ("ﬁx", "FIX"),
        ("Ｗork", "work"),
        ("two words", "  Two \t words "),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("προΐσταμαι", "προΐσταμαι".upper()),
    ],
)
def test_names_that_look_alike_are_the_same(taken: str, wanted: str) -> None:
    before = given(Elsewhere(OTHER, TagCreatedFactory(name=taken)))
    before.when(CreateTagFactory(name=wanted)).then_refused("name_taken", id=str(OTHER))


@pytest.mark.parametrize(("one", "another"), [("cafe", "café"), ("a b", "ab")])
def test_names_that_differ_for_a_reader_differ(one: str, another: str) -> None:
    assert name_key(one) != name_key(another)


@pytest.mark.parametrize("name", ["ΐ", "ŉ", "ǰ", "İstanbul", "ſt", "ᾳ", "Ǆ", "﷼"])
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


def test_the_name_of_a_deleted_tag_is_free() -> None:
    given(
        Elsewhere(OTHER, TagCreatedFactory(name="Errands")),
        Elsewhere(OTHER, TagDeletedFactory()),
    ).when(CreateTagFactory(name="errands")).then(
        TagCreated(name="errands", colour=None)
    )


def test_a_tag_is_renamed_and_recoloured() -> None:
    given(TagCreatedFactory(name="Errands")).when(
        EditTagFactory(name="Chores", colour="red")
    ).then(
        TagRenamed(name=Change("Errands", "Chores")),
        TagRecoloured(colour=Change(None, "red")),
    )


def test_a_colour_is_taken_away() -> None:
    given(TagCreatedFactory(name="Errands", colour="red")).when(
        EditTagFactory(name="Errands", colour=None)
    ).then(TagRecoloured(colour=Change("red", None)))


def test_what_equals_the_present_changes_nothing() -> None:
    given(TagCreatedFactory(name="Errands", colour="red")).when(
        EditTagFactory(name="Errands", colour="red")
    ).then_nothing()


def test_a_tag_may_change_the_case_of_its_own_name() -> None:
    given(TagCreatedFactory(name="errands")).when(EditTagFactory(name="Errands")).then(
        TagRenamed(name=Change("errands", "Errands"))
    )


def test_a_renaming_takes_no_name_of_another_and_frees_its_own() -> None:
    after = (
        given(
            Elsewhere(OTHER, TagCreatedFactory(name="Chores")),
            TagCreatedFactory(name="Errands"),
        )
        .when(EditTagFactory(tag_id=TAG, name="CHORES"))
        .then_refused("name_taken", id=str(OTHER))
        .when(EditTagFactory(tag_id=TAG, name="Shopping"))
        .then(TagRenamed(name=Change("Errands", "Shopping")))
    )
    after.when(CreateTagFactory(name="Errands")).then(
        TagCreated(name="Errands", colour=None)
    )


def test_a_deleted_tag_leaves_every_task_that_had_it() -> None:
    task, has_both = tagged(OTHER, TAG)
    away, has_one = tagged(TAG)
    _, has_none = tagged(OTHER)
    gone = Elsewhere(away, TaskDeletedFactory(deleted_with=Change(None, away)))
    put_away = Elsewhere(away, TaskArchivedFactory())
    given(TagCreatedFactory(), has_both, has_one, has_none, put_away, gone).when(
        DeleteTagFactory(tag_id=TAG)
    ).then_all(
        TagDeleted(deleted=ON),
        Elsewhere(task, TaskRetagged(tags=Change((OTHER, TAG), (OTHER,)))),
        Elsewhere(away, TaskRetagged(tags=Change((TAG,), ()))),
    )


def test_deleting_a_deleted_tag_changes_nothing() -> None:
    given(TagCreatedFactory(), TagDeletedFactory()).when(
        DeleteTagFactory()
    ).then_nothing()


def test_a_deleted_tag_takes_no_other_command() -> None:
    gone = given(
        Elsewhere(OTHER, TagCreatedFactory()),
        Elsewhere(TAG, TagCreatedFactory()),
        Elsewhere(TAG, TagDeletedFactory()),
    )
    gone.when(EditTagFactory(tag_id=TAG)).then_refused("tag_deleted")
    gone.when(MergeTagFactory(tag_id=TAG, into=OTHER)).then_refused("tag_deleted")


def test_a_merged_tag_goes_up_in_the_other_on_every_task() -> None:
    first, has_both = tagged(TAG, OTHER)
    second, has_one = tagged(TAG, THIRD)
    given(
        Elsewhere(OTHER, TagCreatedFactory()), TagCreatedFactory(), has_both, has_one
    ).when(MergeTagFactory(tag_id=TAG, into=OTHER)).then_all(
        TagMerged(deleted=ON, merged_into=Change(None, OTHER)),
        Elsewhere(first, TaskRetagged(tags=Change((TAG, OTHER), (OTHER,)))),
        Elsewhere(second, TaskRetagged(tags=Change((TAG, THIRD), (THIRD, OTHER)))),
    )


def test_repeating_a_merge_changes_nothing() -> None:
    merged().when(MergeTagFactory(tag_id=TAG, into=OTHER)).then_nothing()
    merged().when(DeleteTagFactory(tag_id=TAG)).then_nothing()


def test_a_merged_tag_merges_into_no_third() -> None:
    merged().when(MergeTagFactory(tag_id=TAG, into=THIRD)).then_refused("tag_deleted")


def test_a_tag_does_not_merge_into_itself() -> None:
    given(TagCreatedFactory()).when(MergeTagFactory(tag_id=TAG, into=TAG)).then_refused(
        "merge_into_itself"
    )


def test_a_tag_merges_into_a_live_tag_only() -> None:
    merge = MergeTagFactory(tag_id=TAG, into=OTHER)
    here = given(TagCreatedFactory())
    here.when(merge).then_refused("unknown_reference", pointer="/into")
    given(
        TagCreatedFactory(),
        Elsewhere(OTHER, TagCreatedFactory()),
        Elsewhere(OTHER, TagDeletedFactory()),
    ).when(merge).then_refused("unknown_reference", pointer="/into")


@pytest.mark.parametrize(
    "command",
    [
        EditTagFactory(),
        DeleteTagFactory(),
        MergeTagFactory(),
        RevertFactory(stream_type="tag", changes={"colour": Change("red", None)}),
    ],
)
def test_an_unknown_tag_is_not_found(command: Any) -> None:
    when(command).then_refused("not_found")


def test_a_reverted_renaming_needs_the_old_name_free() -> None:
    back = {"name": Change("Chores", "Errands")}
    renamed = given(TagCreatedFactory(name="Chores"))
    renamed.when(RevertFactory(stream_type="tag", stream_id=TAG, changes=back)).then(
        TagReverted(name=Change("Chores", "Errands"))
    )
    given(
        TagCreatedFactory(name="Chores"),
        Elsewhere(OTHER, TagCreatedFactory(name="errands")),
    ).when(RevertFactory(stream_type="tag", stream_id=TAG, changes=back)).then_refused(
        "name_taken", id=str(OTHER)
    )


def test_a_deleted_tag_comes_back_if_its_name_is_still_free() -> None:
    back = RevertFactory(stream_type="tag", stream_id=TAG, changes={"deleted": OFF})
    gone = given(
        Elsewhere(TAG, TagCreatedFactory(name="Errands")),
        Elsewhere(TAG, TagDeletedFactory()),
    )
    gone.when(back).then(TagReverted(deleted=OFF))
    other = Elsewhere(OTHER, TagCreatedFactory(name="ERRANDS"))
    given(*gone.events, other).when(back).then_refused("name_taken", id=str(OTHER))


def test_a_tag_whose_birth_is_undone_leaves_its_tasks() -> None:
    task, has_it = tagged(TAG)
    given(TagCreatedFactory(), has_it).when(
        RevertFactory(stream_type="tag", stream_id=TAG, changes={"deleted": ON})
    ).then_all(
        TagReverted(deleted=ON),
        Elsewhere(task, TaskRetagged(tags=Change((TAG,), ()))),
    )
