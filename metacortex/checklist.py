"""Reads Markdown check lists: headings become projects, check boxes become tasks.

Lists are read as CommonMark and GitHub's task lists render them, with more patience for
indentation: two columns deeper is a child, a tab reaches the next multiple of four. Ids
follow from titles and where they stand, never from line numbers or the checked state,
so that reading an edited list again names the same things by the same ids.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from metacortex import markdown

MAX_TITLE = 255  # characters, of tasks and projects alike
MAX_DESCRIPTION = 16_383  # characters
MAX_DEPTH = 32  # levels of tasks, the first being 1; what stands deeper is drawn up
CHILD_COLUMNS = 2  # the narrowest indentation by which people mean "below"

_CHECK_BOX = re.compile(r"\[([ xX])\]\s+(\S.*)")
_HEADING = re.compile(r"(#{1,6})(?:\s+(.*?))??(?:\s+#+)?\s*")


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
    """Read any text, however broken; takes time linear in its length.

    Ids are unique within the namespace: give each source that is kept apart its own.
    `default_project` names the project of items that stand under no heading.
    """
    reader = _Reader(markdown.definitions(text))
    for line in markdown.lines(text):
        reader.take(line)
    sections = [section for section in reader.sections if section.drafts]
    names = _names(sections, default_project)
    return Checklist(tuple(_projects(sections, names, namespace, default_project)))


@dataclass(slots=True)
class _Draft:
    """An item while its lines are still coming."""

    text: markdown.Text
    completed: bool
    line: int
    within: list[str]
    notes: list[str] = field(default_factory=list)
    children: list["_Draft"] = field(default_factory=list)


@dataclass(slots=True)
class _Section:
    """What stands between one heading and the next; `path` is empty before the first."""

    path: tuple[str, ...]
    drafts: list[_Draft] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A list item that may still get children; `draft` is None without a check box."""

    column: int
    content: int
    title: str
    draft: _Draft | None


class _Reader:
    def __init__(self, links: markdown.Links) -> None:
        self.sections = [_Section(())]
        self._links = links
        self._headings: list[tuple[int, str]] = []
        self._open: list[_Open] = []
        self._blank = False

    def take(self, line: markdown.Line) -> None:
        """Take the next line, which belongs to the list item that is open, if any."""
        if line.kind is markdown.Kind.BLANK:
            self._blank = True
            return
        if line.kind is markdown.Kind.HEADING:
            self._head(line.level, line.text)
        elif line.kind is markdown.Kind.RULE:
            self._open.clear()
        elif line.kind is markdown.Kind.BULLET:
            self._list(line)
        else:
            self._note(line)
        self._blank = False

    def _head(self, level: int, text: str) -> None:
        name = markdown.plain(text, self._links).title or "Untitled"
        self._headings = [one for one in self._headings if one[0] < level]
        self._headings.append((level, name))
        self._open.clear()
        self.sections.append(_Section(tuple(name for _, name in self._headings)))

    def _list(self, line: markdown.Line) -> None:
        while self._open and line.column < self._open[-1].column + CHILD_COLUMNS:
            self._open.pop()
        box = _CHECK_BOX.fullmatch(line.text)
        owner = self._owner()
        heading = _HEADING.fullmatch(line.text)
        if owner is None and heading is not None:
            self._head(len(heading[1]), heading[2] or "")
        elif box is not None:
            self._open_item(line, box[1] != " ", box[2])
        else:
            self._open_bullet(line, owner)

    def _open_item(self, line: markdown.Line, completed: bool, text: str) -> None:
        plain = markdown.plain(text, self._links)
        draft = _Draft(plain, completed, line.number, self._bullets())
        ancestors = [one.draft for one in self._open if one.draft is not None]
        parents = ancestors[: MAX_DEPTH - 1]
        siblings = parents[-1].children if parents else self.sections[-1].drafts
        siblings.append(draft)
        self._open.append(_Open(line.column, line.content, plain.title, draft))

    def _open_bullet(self, line: markdown.Line, owner: _Draft | None) -> None:
        if owner is not None:
            self._add(owner, "  " * len(self._bullets()) + f"{line.marker} {line.text}")
        title = markdown.plain(line.text, self._links).title
        self._open.append(_Open(line.column, line.content, title, None))

    def _note(self, line: markdown.Line) -> None:
        """Text goes to the item it is indented under, or that it directly follows."""
        if self._blank and not line.fenced:
            while self._open and line.column < self._open[-1].column + CHILD_COLUMNS:
                self._open.pop()
        owner = self._owner()
        if owner is None or line.kind is markdown.Kind.HIDDEN:
            return
        inset = max(0, line.column - self._open[-1].content) if line.fenced else 0
        self._add(owner, "  " * len(self._bullets()) + " " * inset + line.text)

    def _add(self, owner: _Draft, text: str) -> None:
        if self._blank and owner.notes:
            owner.notes.append("")
        owner.notes.append(text.rstrip())

    def _owner(self) -> _Draft | None:
        return next((one.draft for one in reversed(self._open) if one.draft), None)

    def _bullets(self) -> list[str]:
        """Return the bullets without a box below the nearest item, outermost first."""
        titles: list[str] = []
        for one in reversed(self._open):
            if one.draft is not None:
                break
            titles.append(one.title)
        return titles[::-1]
