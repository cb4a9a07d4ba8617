"""The check-list reader, on two real lists and on whatever people may write."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metacortex.importing import markdown
from metacortex.importing.checklist import (
    MAX_DEPTH,
    MAX_DESCRIPTION,
    MAX_TITLE,
    Checklist,
    Item,
    read,
)
from tests.shared import data

SPACE = UUID(int=1)


def listed(text: str) -> Checklist:
    return read(text, namespace=SPACE, default_project="file")


def outline(text: str) -> list[object]:
    """The list as nested titles: ["project", ["item", ["child"]]]."""

    def nested(items: tuple[Item, ...]) -> list[object]:
        return [[item.title, *nested(item.children)] for item in items]

    return [[project.name, *nested(project.items)] for project in listed(text).projects]


def only(text: str) -> Item:
    (item,) = listed(text)
    return item


def ids(text: str) -> dict[str, UUID]:
    return {item.title: item.id for item in listed(text)}


# The real lists


def test_every_check_box_of_the_interview_list_and_nothing_else() -> None:
    text = data("interview-checklist.md")
    items = list(listed(text))
    assert len(items) == 463
    assert len({item.id for item in items}) == 463
    boxes = re.finditer(r"\[[ xX]\]", text)
    lines = {text.count("\n", 0, box.start()) + 1 for box in boxes}
    assert lines - {item.line for item in items} == {236}
    assert "just put an x in the brackets: [x]" in text.split("\n")[235]


def test_the_interview_lists_shape() -> None:
    projects = {p.name: p for p in listed(data("interview-checklist.md")).projects}
    assert len(projects) == 32
    arrays = projects["Arrays"]  # its heading stands in a list: `- ### Arrays`
    assert [item.title for item in arrays.items] == [
        "About Arrays:",
        "Implement a vector (mutable array with automatic resizing):",
        "Time",
        "Space",
    ]
    assert len(arrays.items[1].children) == 14
    bits = projects["Bitwise operations"].items[1]
    assert bits.children[-1].title == "Practice Operations"  # two tabs among spaces
    intro = bits.children[1]
    assert intro.title == "Good intro:"
    assert intro.description == (
        "[Bit Manipulation (video)](https://www.youtube.com/watch?v=7jkIUgLC29I)"
    )


def test_no_link_of_a_task_is_lost() -> None:
    text = data("interview-checklist.md")
    kept = "\n".join(item.description or "" for item in listed(text))
    for line in text.split("\n"):
        for url in re.findall(r"\]\((https?://[^()\s]+)\)", line):
            assert "[ ]" not in line or url in kept


def test_the_api_security_list() -> None:
    items = list(listed(data("api-security-checklist.md")))
    assert len(items) == 64
    assert len({item.id for item in items}) == 64
    assert items[0].title == (
        "Don't use Basic Auth. Use standard authentication instead."
    )


# What is an item


@pytest.mark.parametrize(
    ("line", "title", "completed"),
    [
        ("- [ ] milk", "milk", False),
        ("* [x] milk", "milk", True),
        ("+ [X] milk", "milk", True),
        ("1. [ ] milk", "milk", False),
        ("12) [x] milk", "milk", True),
        ("   -   [ ]   milk  ", "milk", False),
        ("-\t[ ]\tmilk", "milk", False),
        ("- [ ] [x] milk", "[x] milk", False),
    ],
)
def test_check_boxes(line: str, title: str, completed: bool) -> None:
    item = only(line)
    assert (item.title, item.completed, item.line) == (title, completed, 1)
    assert (item.description, item.children) == (None, ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[ ] milk",
        "put an x in the brackets: [x]",
        "- milk",
        "- [] milk",
        "- [ ]",
        "- [ ]milk",
        "- [y] milk",
        "-[ ] milk",
        "> - [ ] milk",
        "```\n- [ ] milk\n```",
        "~~~ text\n- [ ] milk\n```\n- [ ] milk\n~~~~",
        "```\n- [ ] milk",
        "<!-- - [ ] milk -->",
        "<!--\n- [ ] milk\n-->",
        "---\ntitle: x\ntags:\n  - milk\n---",
        "* * *",
        "# - [ ] milk",
    ],
)
def test_what_is_no_item(text: str) -> None:
    assert listed(text) == Checklist(())


def test_a_fence_ends_with_its_item() -> None:
    text = "- [ ] a\n    ```\n    - [ ] code\n- [ ] b"
    assert outline(text) == [["file", ["a"], ["b"]]]


def test_html_around_items_is_ignored() -> None:
    text = "<details>\n<summary>More</summary>\n\n- [ ] a\n  <br>\n\n</details>"
    assert only(text).description is None


# Nesting


@pytest.mark.parametrize(
    "indentation", ["  ", "   ", "    ", "\t", " \t", "      "], ids=repr
)
def test_indented_items_are_subtasks(indentation: str) -> None:
    text = f"- [ ] a\n{indentation}- [x] b\n- [ ] c"
    assert outline(text) == [["file", ["a", ["b"]], ["c"]]]


def test_one_column_more_is_no_subtask() -> None:
    assert outline("- [ ] a\n - [ ] b\n- [ ] c") == [["file", ["a"], ["b"], ["c"]]]


def test_tabs_and_spaces_may_be_mixed() -> None:
    text = (
        "- [ ] a\n    - [ ] b\n\t\t- [ ] c\n        - [ ] d\n    \t- [ ] e\n\t- [ ] f"
    )
    assert outline(text) == [["file", ["a", ["b", ["c"], ["d"], ["e"]], ["f"]]]]


def test_items_below_plain_bullets_say_where_they_stood() -> None:
    text = "- [ ] a\n  - Fruit\n    - Red\n      - [ ] b\n- Later\n  - [ ] c"
    a, b, c = listed(text)
    assert outline(text) == [["file", ["a", ["b"]], ["c"]]]
    assert a.description == "- Fruit\n  - Red"
    assert b.description == "In: Fruit › Red"
    assert c.description == "In: Later"


def test_a_list_ends_where_text_begins_anew() -> None:
    text = "- [ ] a\n\nSome text.\n\n    - [ ] b\n\n---\n\n  - [ ] c"
    assert outline(text) == [["file", ["a"], ["b"], ["c"]]]


def test_what_stands_too_deep_is_drawn_up_and_not_lost() -> None:
    text = "\n".join("  " * depth + f"- [ ] {depth + 1}" for depth in range(40))
    item, depth = listed(text).projects[0].items[0], 1
    while len(item.children) == 1:
        item, depth = item.children[0], depth + 1
    assert (item.title, depth) == (str(MAX_DEPTH - 1), MAX_DEPTH - 1)
    assert [child.title for child in item.children] == [str(n) for n in range(32, 41)]


# Projects


def test_headings_with_items_directly_below_them_are_projects() -> None:
    text = "- [ ] a\n# One\ntext\n## Two ##\n- [ ] b\n### Three\n# Four\n1. [ ] c"
    assert outline(text) == [["file", ["a"]], ["Two", ["b"]], ["Four", ["c"]]]


def test_underlined_headings() -> None:
    text = "One\n===\n- [ ] a\n\nTwo\n---\n- [ ] b\n---\n- [ ] c"
    assert outline(text) == [["One", ["a"]], ["Two", ["b"], ["c"]]]


def test_headings_lose_their_marks() -> None:
    text = "# **One** [two](url) `#`\n- [ ] a\n#\n- [ ] b\n#no heading\n- [ ] c"
    assert outline(text) == [["One two #", ["a"]], ["Untitled", ["b"], ["c"]]]


def test_equal_headings_get_names_that_differ() -> None:
    box = "\n- [ ] a\n"
    text = f"# Top{box}# Trees\n## Links{box}# Graphs\n## Links{box}## Links{box}"
    names = [project.name for project in listed(text).projects]
    assert names == ["Top", "Trees / Links", "Graphs / Links", "Graphs / Links (2)"]
    assert len({project.id for project in listed(text).projects}) == 4


def test_long_headings_are_cut_and_differ_nonetheless() -> None:
    text = f"# {'a' * 300}\n- [ ] a\n# {'a' * 300}\n- [ ] b"
    first, second = (project.name for project in listed(text).projects)
    assert first != second
    assert len(first) == MAX_TITLE and second.endswith(" (2)")


# Titles and descriptions


@pytest.mark.parametrize(
    ("source", "title", "description"),
    [
        ("[a b](http://x/y)", "a b", "[a b](http://x/y)"),
        ("see [a](x) and [b](y)", "see a and b", "- [a](x)\n- [b](y)"),
        ("[[Q] a](x_(y)_z) c", "[Q] a c", "[[Q] a](x_(y)_z)"),
        ('[a](<x y> "t")', "a", '[a](<x y> "t")'),
        ("[](http://x_y_z)", "http://x_y_z", "[](http://x_y_z)"),
        ("![alt](x.png)", "alt", "![alt](x.png)"),
        ("[a][R] b", "a b", "[a](http://ref)"),
        ("[r] and [r][]", "r and r", "- [r](http://ref)\n- [r](http://ref)"),
        ("[a][q] [q] a[i]", "[a][q] [q] a[i]", None),
        ("**a** *b* __c__ _d_ ~~e~~ ***f***", "a b c d e f", None),
        ("**[a](x)** `b`", "a b", "[a](x)"),
        ("snake_case_name 2 * 3 * 4 a**b", "snake_case_name 2 * 3 * 4 a**b", None),
        ("`__init__` ``a`b`` `", "__init__ a`b `", None),
        (r"\*a\* \[ ] c:\dir", r"*a* [ ] c:\dir", None),
        ("<https://x/_a_> https://x/_b_/", "https://x/_a_ https://x/_b_/", None),
        ("a   b\tc", "a b c", None),
        ("****", "****", None),
    ],
)
def test_titles_are_plain(source: str, title: str, description: str | None) -> None:
    item = only(f"- [ ] {source}\n\n[r]: http://ref\n")
    assert (item.title, item.description) == (title, description)


def test_a_linked_image_is_kept_whole() -> None:
    item = only("- [ ] [![alt](i.png)](http://x)")
    assert (item.title, item.description) == ("alt", "[![alt](i.png)](http://x)")


def test_what_stands_below_an_item_is_its_description() -> None:
    text = """\
- [ ] a [l](x)
  more
  - plain
    - deeper
      goes on

  A paragraph.

  ```
  if x:
      y
  ```
lazy
- [ ] b
"""
    a, b = listed(text)
    assert b.description is None
    assert a.description == (
        "[l](x)\n\nmore\n- plain\n  - deeper\n    goes on\n\nA paragraph.\n\n"
        "```\nif x:\n    y\n```\nlazy"
    )


def test_a_long_title_is_cut_at_a_word_and_kept_whole_below() -> None:
    source = "[word](x) " * 80
    item = only(f"- [ ] {source}")
    assert len(item.title) <= MAX_TITLE
    assert item.title.endswith("word…")
    assert item.description == source.strip()


def test_a_long_word_is_cut_too() -> None:
    assert only(f"- [ ] {'a' * 300}").title == "a" * (MAX_TITLE - 1) + "…"
    assert only(f"- [ ] {'a' * MAX_TITLE}").title == "a" * MAX_TITLE


def test_a_long_description_is_cut() -> None:
    item = only("- [ ] a\n" + "  - some words\n" * 5000)
    assert len(item.description or "") <= MAX_DESCRIPTION
    assert (item.description or "").endswith("…")


# Ids


def test_reading_again_gives_the_same_ids() -> None:
    text = data("interview-checklist.md")
    assert listed(text) == listed(text)


def test_ids_are_frozen() -> None:
    (project,) = listed("# One\n- [ ] a").projects
    assert str(project.id) == "28ad86b9-e94f-59f1-adae-d3cce349e4b8"
    assert str(project.items[0].id) == "6a9e2313-413b-5347-8a24-1faee415a570"


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("- [ ] a", "- [x] a"),
        lambda text: "\n\nIntroduction\n\n" + text,
        lambda text: text.replace("note", "another note"),
        lambda text: text.replace("- ", "* ").replace("    ", "\t"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("- [ ] a", "- [ ] **a**"),
    ],
)
def test_edits_that_keep_every_id(edit: Callable[[str], str]) -> None:
    text = "# One\n- [ ] a\n    - note\n    - [ ] b\n# Two\n- [ ] a2\n"
    assert edit(text) != text
    assert ids(edit(text)) == ids(text)


def test_a_new_item_adds_one_id_and_changes_none() -> None:
    before = ids("# One\n- [ ] a\n- [ ] b\n  - [ ] c")
    after = ids("# One\n- [ ] new\n- [ ] a\n- [ ] b\n  - [ ] c")
    assert after.pop("new") not in before.values()
    assert after == before


def test_equal_siblings_are_told_apart_by_their_order() -> None:
    first, second = listed("- [ ] a\n- [ ] a")
    assert first.id != second.id
    assert only("- [ ] a").id == first.id


def test_the_same_title_elsewhere_is_something_else() -> None:
    text = "- [ ] a\n  - [ ] a\n# One\n- [ ] a\n# Two\n- [ ] a\n## One\n- [ ] a"
    assert len({item.id for item in listed(text)}) == 5


def test_namespaces_part_the_same_text() -> None:
    (other,) = read("- [ ] a", namespace=UUID(int=2), default_project="file")
    assert other.id != only("- [ ] a").id


# Whatever comes

WORDS = st.from_regex(r"[a-z]{1,8}( [a-z]{1,8}){0,3}", fullmatch=True)
TREES: st.SearchStrategy[list[Item]] = st.recursive(
    st.just([]),
    lambda inner: st.lists(
        st.builds(
            lambda title, done, below: Item(SPACE, title, None, done, 0, tuple(below)),
            WORDS,
            st.booleans(),
            inner,
        ),
        max_size=4,
    ),
    max_leaves=20,
)


def printed(items: list[Item] | tuple[Item, ...], tab: str, depth: int = 0) -> str:
    return "".join(
        f"{tab * depth}- [{'x' if item.completed else ' '}] {item.title}\n"
        + printed(item.children, tab, depth + 1)
        for item in items
    )


def bare(items: list[Item] | tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(
        replace(item, id=SPACE, line=0, children=bare(item.children)) for item in items
    )


@given(TREES, st.sampled_from(["  ", "    ", "\t"]))
def test_a_printed_list_reads_back(items: list[Item], tab: str) -> None:
    checklist = listed("# Project\n" + printed(items, tab))
    if not items:
        assert checklist.projects == ()
        return
    (project,) = checklist.projects
    assert bare(project.items) == tuple(items)


ODD = st.characters() | st.sampled_from("\ud800\udfff\0")  # surrogates and NUL too
MARKS = st.sampled_from(
    ["\n", "\r\n", "\t", "  ", "- [ ] ", "- ", "# ", "```", "<!--", "-->", "---"]
    + ["[", "](", ")", "`", "*", "_", "**", "![", "\\", "[a]: b", "> ", "===", "<p>"]
)


@given(st.lists(MARKS | ODD | WORDS).map("".join))
def test_no_text_is_too_odd(text: str) -> None:
    items = list(listed(text))
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert 0 < len(item.title) <= MAX_TITLE
        (item.title + (item.description or "")).encode()
        assert "\0" not in item.title + (item.description or "")
    for project in listed(text).projects:
        assert project.items and 0 < len(project.name) <= MAX_TITLE


def test_lines_are_counted_whatever_ends_them() -> None:
    text = "a\r\n\r\n- [ ] b\r- [ ] c\n- [ ] d"
    assert [item.line for item in listed(text)] == [3, 4, 5]
    assert len(list(markdown.lines(text))) == 5


LONG: dict[str, Callable[[int], str]] = {
    "nested": lambda n: "".join(
        f"{'  ' * (k % 7)}- [ ] item {k} [l](x)\n" for k in range(n)
    ),
    "flat": lambda n: "- [ ] a\n" * n,
    "projects of one name": lambda n: "# a\n- [ ] a\n" * n,
    "links": lambda n: "- [ ] " + "[a](" * (50 * n),
    "images": lambda n: "- [ ] " + "![[" * (50 * n),
    "strong": lambda n: "- [ ] " + "**a " * (50 * n),
    "emphasis": lambda n: "- [ ] " + "_a *b `c " * (20 * n),
    "titles of links": lambda n: "- [ ] " + "[a](x \"'" * (20 * n),
    "ticks": lambda n: "- [ ] " + "`" * (100 * n),
    "escapes": lambda n: "- [ ] " + "\\" * (100 * n),
    "spaces": lambda n: "- [ ] a" + " " * (200 * n) + "b",
    "closed heading": lambda n: "# a" + " #" * (100 * n),
    "brackets": lambda n: "[" * (200 * n) + "]: x",
    "bullets": lambda n: "- " * (100 * n),
    "open tags": lambda n: "<p" * (100 * n),
}


def cpu_s(text: str) -> float:
    """Return the seconds of this thread's CPU that reading the text takes."""
    started = time.thread_time()
    listed(text)
    return time.thread_time() - started


@pytest.mark.parametrize("long", LONG.values(), ids=LONG)
def test_hostile_and_long_lists_take_linear_time(long: Callable[[int], str]) -> None:
    short, four_times = long(500), long(2_000)
    tries = [(cpu_s(short), cpu_s(four_times)) for _ in range(3)]
    assert min(b for _, b in tries) < 10 * min(a for a, _ in tries)  # squared: 16


def test_a_thousand_levels_are_read() -> None:
    text = "".join("  " * depth + "- [ ] a\n" for depth in range(1000))
    assert len(list(listed(text))) == 1000
