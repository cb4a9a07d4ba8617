"""As much Markdown as a check list needs: lines with their kind, and plain titles.

Follows CommonMark 0.31 where it can be told from a line and its neighbours. Every
pattern takes linear time: repetitions are possessive, or stop at their own delimiter.

Why not markdown-it-py: it recurses into what is nested, so that it either leaves out
what stands deeper than its limit or ends in a RecursionError (1,000 levels of items, a
line of opening brackets); an item that is indented six columns below another, or four
below a paragraph, becomes text; and its links do not say how they were written, which
a description keeps.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from metacortex.kernel.text import HIDING, shows

TAB = 4  # columns, CommonMark section 2.2
MAX_INLINE = (
    16_383  # characters of a line that are looked at; a description holds no more
)

Links = Mapping[str, str]
"""Destinations of reference links by normalised label."""


class Kind(Enum):
    """What a line is; HIDDEN are HTML, comments and link definitions."""

    BLANK = "blank"
    HEADING = "heading"
    RULE = "rule"
    BULLET = "bullet"
    TEXT = "text"
    CODE = "code"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its indentation, which ends at `column`; numbers start at 1."""

    number: int
    column: int
    kind: Kind
    text: str
    marker: str = ""
    level: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A line's plain title, and the links (as Markdown) that it lost."""

    source: str
    title: str
    links: tuple[str, ...]


_BULLET = re.compile(r"([-*+]|[0-9]{1,9}[.)])(?:[ \t]+(.*))?")
_ATX = re.compile(r"(#{1,6})(?:[ \t]+(.*))?")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_TAG = re.compile(r"</?(?:br|center|details|div|hr|p|summary)\b[^>]*>.*", re.I)
_DEFINITION = re.compile(r" {0,3}\[([^\[\]^][^\[\]]*)\]:[ \t]*<?([^\s<>]+)>?(?:\s.*)?")
_YAML = re.compile(r"[\w.-]+:(?:\s.*)?|\s*- (?!\[).*|\s*")


def lines(text: str) -> Iterator[Line]:
    """Yield the lines of any text; what names must not hold becomes U+FFFD."""
    return _Lines(_raw(text)).read()


def definitions(text: str) -> Links:
    """Return where the text's reference links lead; the first definition counts."""
    found: dict[str, str] = {}
    for line in _raw(text):
        if match := _DEFINITION.fullmatch(line):
            found.setdefault(_label(match[1]), match[2])
    return found


def heading(text: str) -> tuple[int, str] | None:
    """Return level and text of a heading that begins with number signs."""
    match = _ATX.fullmatch(text)
    if match is None:
        return None
    title = (match[2] or "").strip()
    bare = title.rstrip("#")
    return len(match[1]), title if bare and not bare[-1].isspace() else bare.rstrip()


def _raw(text: str) -> list[str]:
    clean = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    clean = HIDING.sub("\ufffd", clean.removeprefix("\ufeff").replace("\0", "\ufffd"))
    return clean.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _label(text: str) -> str:
    return " ".join(text.casefold().split())


def _indented(line: str) -> tuple[int, str]:
    """Return the column where the line's text begins, and the text."""
    column = place = 0
    for place, character in enumerate(line):
        if character == " ":
            column += 1
        elif character == "\t":
            column += TAB - column % TAB
        else:
            return column, line[place:].rstrip()
    return column, ""


def _is_rule(text: str) -> bool:
    marks = "".join(text.split())
    return len(marks) >= 3 and marks[0] in "*-_" and not marks.strip(marks[0])


class _Lines:
    """Walks over the lines once, and knows the block that a line stands in."""

    def __init__(self, raw: Sequence[str]) -> None:
        self._raw = raw
        self._fence = ""
        self._fence_column = 0
        self._comment = False
        self._after_blank = True

    def read(self) -> Iterator[Line]:
        number = self._front_matter()
        while number < len(self._raw):
            line = self._line(number)
            number += 2 if self._is_underlined(line) else 1
            self._after_blank = line.kind in (Kind.BLANK, Kind.HEADING)
            yield line

    def _front_matter(self) -> int:
        """Return the index after the settings (YAML) that some editors put on top."""
        if self._raw[0].rstrip() != "---":
            return 0
        for index, line in enumerate(self._raw[1:], 1):
            if line.rstrip() == "---":
                return index + 1
            if not _YAML.fullmatch(line):
                break
        return 0

    def _line(self, index: int) -> Line:
        column, text = _indented(self._raw[index])
        number = index + 1
        if not text:
            return Line(number, column, Kind.BLANK, "")
        if self._fence and self._fenced(column, text):
            return Line(number, column, Kind.CODE, text)
        if self._comment or text.startswith("<!--"):
            self._comment = "-->" not in text
            return Line(number, column, Kind.HIDDEN, text)
        if self._opens_fence(column, text):
            return Line(number, column, Kind.TEXT, text)
        return self._plain_line(index, column, text)

    def _plain_line(self, index: int, column: int, text: str) -> Line:
        number = index + 1
        if _TAG.fullmatch(text) or _DEFINITION.fullmatch(self._raw[index]):
            return Line(number, column, Kind.HIDDEN, text)
        if column < TAB and (found := heading(text)):
            return Line(number, column, Kind.HEADING, found[1], level=found[0])
        if _is_rule(text):
            return Line(number, column, Kind.RULE, text)
        if match := _BULLET.fullmatch(text):
            item = (match[2] or "").strip()
            return Line(number, column, Kind.BULLET, item, marker=match[1])
        if column < TAB and (level := self._underline(index)):
            return Line(number, column, Kind.HEADING, text, level=level)
        return Line(number, column, Kind.TEXT, text)

    def _underline(self, index: int) -> int:
        """Return the level that a line of = or - gives to the single line above it."""
        if not self._after_blank or index + 1 == len(self._raw):
            return 0
        match = _SETEXT.fullmatch(self._raw[index + 1])
        return 0 if match is None else 1 if match[1][0] == "=" else 2

    def _is_underlined(self, line: Line) -> bool:
        if line.kind is not Kind.HEADING:
            return False
        return heading(_indented(self._raw[line.number - 1])[1]) is None

    def _opens_fence(self, column: int, text: str) -> bool:
        match = _FENCE.fullmatch(text)
        if match is not None:
            self._fence, self._fence_column = match[1] or match[2], column
        return match is not None

    def _fenced(self, column: int, text: str) -> bool:
        """Tell whether the line is code, or the fence's end; keep track of the fence.

        A fence ends with its list item, which it cannot pass by more than 3 columns.
        """
        if column < self._fence_column - (TAB - 1):
            self._fence = ""
            return False
        if text.startswith(self._fence) and not text.strip(self._fence[0]):
            self._fence = ""
        return True


# Inside a line

_INLINE = re.compile(
    r"""
      (?<!`)`(?!`)(?P<code>[^`]++)`(?!`)
    | (?<!`)``(?!`)(?P<double>(?:[^`]|`(?!`))++)``(?!`)
    | \\(?P<escaped>[!-/:-@\[-`{-~])
    | <(?P<address>[a-zA-Z][a-zA-Z0-9+.-]{1,31}:[^\s<>]*+)>
    | (?P<bare>https?://[^\s<>*`\[\]]++)
    | !?\[(?P<label>(?:[^\[\]\\`]|\\.|`[^`]*+`|\[[^\[\]]*+\])*+)\]
      (?:(?P<target>\(\s*+(?:<[^<>]*+>|(?:[^\s()\\]|\\.|\([^\s()]*+\))*+)
         (?:\s++(?:"[^"]*+"|'[^']*+'|\([^()]*+\)))?+\s*+\))
       | \[(?P<reference>[^\[\]]*+)\])?
    """,
    re.VERBOSE,
)
_EMPHASIS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![*\w])\*(?=[^\s*])([^*]++)(?<=\S)\*(?![*\w])",
        r"(?<![_\w])_(?=[^\s_])([^_]++)(?<=\S)_(?![_\w])",
        r"\*\*(?=[^\s*])([^*]++)(?<=\S)\*\*",
        r"(?<![_\w])__(?=[^\s_])([^_]++)(?<=\S)__(?![_\w])",
        r"~~(?=[^\s~])([^~]++)(?<=\S)~~",
        r"(?<![*\w])\*(?=[^\s*])([^*]++)(?<=\S)\*(?![*\w])",  # what was ***both***
    )
)
_HIDE = str.maketrans("*_~", "\ufdd0\ufdd1\ufdd2")  # noncharacters: free for our use
_SHOW = str.maketrans("\ufdd0\ufdd1\ufdd2", "*_~")


def plain(source: str, links: Links) -> Text:
    """Return the text without its marks; a link leaves its text and is kept apart."""
    lost: list[str] = []
    title = _unmarked(source[:MAX_INLINE], links, lost)
    for emphasis in _EMPHASIS:
        title = emphasis.sub(r"\1", title)
    title = " ".join(title.translate(_SHOW).split())
    bare = " ".join(source.split())
    if not shows(title):
        title = bare if shows(bare) or not bare else "\ufffd"
    return Text(source, title, tuple(lost))


def _unmarked(source: str, links: Links, lost: list[str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        for name in ("code", "double", "escaped", "address", "bare"):
            if match[name] is not None:
                return match[name].translate(_HIDE)
        return _link(match, links, lost)

    return _INLINE.sub(replaced, source)


def _link(match: re.Match[str], links: Links, lost: list[str]) -> str:
    label = match["label"]
    inner = _unmarked(label, links, [])  # an image in a link is kept with the link
    if match["target"] is not None:
        lost.append(match[0])
        return inner or match["target"][1:-1].strip().translate(_HIDE)
    target = links.get(_label(match["reference"] or label))
    if target is None:
        return match[0].replace(label, inner, 1) if label else match[0]
    lost.append(f"{'!' if match[0][0] == '!' else ''}[{label}]({target})")
    return inner
