"""Reads Markdown check lists: headings become projects, check boxes become tasks.

Lists are read as CommonMark and GitHub's task lists render them, with more patience for
indentation: two columns deeper is a child, a tab reaches the next multiple of four. Ids
follow from titles and where they stand, never from line numbers or the checked state,
so that reading an edited list again names the same things by the same ids.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from metacortex.importing import markdown
from metacortex.importing.markdown import Kind, Line

MAX_TITLE = 255  # characters, of tasks and projects alike
MAX_DESCRIPTION = 16_383  # characters
MAX_DEPTH = 32  # levels of tasks, the first being 1; what stands deeper is drawn up
CHILD_COLUMNS = 2  # the narrowest indentation by which people mean "below"
UNTITLED = "Untitled"

_CHECK_BOX = re.compile(r"\[([ xX])\]\s+(\S.*)")


@dataclass(frozen=True, slots=True)
class Item:
    """A task; `line` counts from 1, `description` is Markdown."""

    id: UUID
    title: str
    description: str | None
    completed: bool
    line: int
    children: tuple["Item", ...]


@dataclass(frozen=True, slots=True)
class Project:
    """A heading with items directly below it."""

    id: UUID
    name: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Checklist:
    """What a text holds, in its order."""

    projects: tuple[Project, ...]

    def __iter__(self) -> Iterator[Item]:
        """Yield every item, parents before their children."""
        for project in self.projects:
            yield from _flat(project.items)


def read(text: str, *, namespace: UUID, default_project: str = "Imported") -> Checklist:
    """Read any text, however broken, in time linear in its length.

    Ids are unique within the namespace: give each source that is kept apart its own.
    `default_project` names the project of items that stand under no heading.
    """
    reader = _Reader(markdown.definitions(text))
    for line in markdown.lines(text):
        reader.take(line)
    sections = [section for section in reader.sections if section.drafts]
    return Checklist(tuple(_projects(sections, namespace, default_project)))


@dataclass(slots=True)
class _Draft:
    """An item while its lines are still coming; `within` are bullets around it."""

    text: markdown.Text
    completed: bool
    line: int
    within: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    children: list["_Draft"] = field(default_factory=list)


@dataclass(slots=True)
class _Section:
    """What stands below one heading; `path` is empty before the first."""

    path: tuple[str, ...]
    drafts: list[_Draft] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Open:
    """A list item whose lines may go on: its nearest check box, and the way there."""

    column: int
    content: int
    draft: _Draft | None
    parents: tuple[_Draft, ...]
    bullets: tuple[str, ...]


_OUTSIDE = _Open(0, 0, None, (), ())


class _Reader:
    def __init__(self, links: markdown.Links) -> None:
        self.sections = [_Section(())]
        self._links = links
        self._headings: list[tuple[int, str]] = []
        self._open: list[_Open] = []
        self._after_blank = False

    def take(self, line: Line) -> None:
        """Take the next line of the text."""
        match line.kind:
            case Kind.HEADING:
                self._head(line.level, line.text)
            case Kind.RULE:
                self._open.clear()
            case Kind.BULLET:
                self._bullet(line)
            case Kind.TEXT | Kind.CODE:
                self._note(line)
        self._after_blank = line.kind is Kind.BLANK

    def _head(self, level: int, text: str) -> None:
        name = markdown.plain(text, self._links).title or UNTITLED
        self._headings = [above for above in self._headings if above[0] < level]
        self._headings.append((level, name))
        self._open.clear()
        self.sections.append(_Section(tuple(name for _, name in self._headings)))

    def _bullet(self, line: Line) -> None:
        """A check box is an item, a heading a section, anything else a note."""
        self._leave(line.column)
        if self._inner.draft is None and (heading := markdown.heading(line.text)):
            self._head(*heading)
        elif box := _CHECK_BOX.fullmatch(line.text):
            self._item(line, box[1] != " ", box[2])
        elif line.text:
            self._add(f"{line.marker} {line.text}")
            title = markdown.plain(line.text, self._links).title
            self._enter(line, self._inner.draft, (*self._inner.bullets, title))

    def _item(self, line: Line, completed: bool, text: str) -> None:
        plain, around = markdown.plain(text, self._links), self._inner
        draft = _Draft(plain, completed, line.number, around.bullets)
        section = self.sections[-1]
        siblings = around.parents[-1].children if around.parents else section.drafts
        siblings.append(draft)
        self._enter(line, draft, ())

    def _note(self, line: Line) -> None:
        """Text is its item's when it is indented below it, or follows without a gap."""
        if line.kind is Kind.TEXT and self._after_blank:
            self._leave(line.column)
        inset = line.column - self._inner.content if line.kind is Kind.CODE else 0
        self._add(" " * inset + line.text)

    def _add(self, text: str) -> None:
        draft = self._inner.draft
        if draft is None:
            return
        if self._after_blank and draft.notes:
            draft.notes.append("")
        draft.notes.append("  " * min(len(self._inner.bullets), MAX_DEPTH) + text)

    def _enter(
        self, line: Line, draft: _Draft | None, bullets: tuple[str, ...]
    ) -> None:
        parents = self._inner.parents
        if draft is not None and not bullets and len(parents) < MAX_DEPTH - 1:
            parents = (*parents, draft)
        content = line.column + len(line.marker) + 1
        self._open.append(_Open(line.column, content, draft, parents, bullets))

    def _leave(self, column: int) -> None:
        while self._open and column < self._inner.column + CHILD_COLUMNS:
            self._open.pop()

    @property
    def _inner(self) -> _Open:
        return self._open[-1] if self._open else _OUTSIDE


# From drafts to what the caller gets


def _projects(
    sections: list[_Section], namespace: UUID, default: str
) -> Iterator[Project]:
    seen: Counter[tuple[str, ...]] = Counter()
    for section, name in zip(sections, _names(sections, default), strict=True):
        path = section.path or ("", default)  # no heading is empty
        seen[path] += 1
        id = _id(namespace, "project", *path, seen[path])
        yield Project(id, name, tuple(_items(section.drafts, id)))


def _items(drafts: list[_Draft], parent: UUID) -> Iterator[Item]:
    seen: Counter[str] = Counter()
    for draft in drafts:
        title = draft.text.title
        seen[title] += 1
        id = _id(parent, "item", title, seen[title])
        yield Item(
            id=id,
            title=_cut(title, MAX_TITLE),
            description=_description(draft),
            completed=draft.completed,
            line=draft.line,
            children=tuple(_items(draft.children, id)),
        )


def _id(namespace: UUID, *path: str | int) -> UUID:
    return uuid5(namespace, json.dumps(path))


def _description(draft: _Draft) -> str | None:
    """Where it stood, what the title had to leave out, and what stood below it."""
    around = f"In: {' › '.join(draft.within)}" if draft.within else ""
    left_out = "\n".join(_bulleted(draft.text.links))
    if len(draft.text.title) > MAX_TITLE:
        left_out = draft.text.source  # with its links
    parts = (around, left_out, "\n".join(draft.notes))
    return _cut("\n\n".join(filter(None, parts)), MAX_DESCRIPTION) or None


def _bulleted(links: tuple[str, ...]) -> tuple[str, ...]:
    return links if len(links) < 2 else tuple(f"- {link}" for link in links)


def _names(sections: list[_Section], default: str) -> Iterator[str]:
    """Yield names that differ: first by the heading above, then by a number."""
    paths = [section.path or (default,) for section in sections]
    often = Counter(path[-1] for path in paths)
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    for path in paths:
        wanted = " / ".join(path[-2:]) if often[path[-1]] > 1 else path[-1]
        name = base = _cut(wanted, MAX_TITLE)
        while name in taken:
            numbers[base] += 1
            suffix = f" ({numbers[base] + 1})"
            name = _cut(base, MAX_TITLE - len(suffix)) + suffix
        taken.add(name)
        yield name


def _cut(text: str, limit: int) -> str:
    """Return at most `limit` characters, ending at a word and with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    words = head.rpartition(" ")[0]
    return (words if len(words) > limit // 2 else head).rstrip() + "…"


def _flat(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _flat(item.children)
