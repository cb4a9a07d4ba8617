"""Words: what texts are found by, on the side of the text and on that of the query.

Chinese, Japanese and Korean are written without spaces, or with endings that stick, so
a run of their characters is found by its pairs: 日本語 stands in a vector as 日, 日本,
本語, 語, the first and the last character alone so that runs begin and end (bigrams, as
Lucene's CJKAnalyzer has them). Both sides are split alike by `CJK`.
"""

import re
from collections.abc import Iterator, Sequence

CJK = (
    r"\u1100-\u11FF\u3005-\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF"
    r"\u3105-\u312F\u3131-\u318E\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF"
    r"\uAC00-\uD7A3\uF900-\uFAFF\uFF66-\uFF9F\U00020000-\U000323AF"
)
"""Letters of Han, kana, bopomofo and hangul, as Postgres and Python read a class."""


def _spaced(text: str) -> str:
    """Return the SQL of a text whose runs are written in pairs.

    Written twice, 日本 is 日日本本: with a space in each double letter, 日 日本 本.
    """
    apart = rf"regexp_replace({text}, '([{CJK}]+)', ' \1 ', 'g')"
    return (
        f"CASE WHEN {text} ~ '[{CJK}]' THEN"
        rf" regexp_replace({apart}, '([{CJK}])', '\1 \1', 'g') ELSE {text} END"
    )


def vector(text: str) -> str:
    """Return the SQL of a text's vector, with words once more where it joins them.

    Postgres takes `Q3/Q4` for the name of a file and `-5` for a number.
    """
    joined = rf"regexp_replace({text}, '(^|\s)[^\s/-]+(?=\s|$)', ' ', 'g')"
    again = f"CASE WHEN {text} ~ '[/-]' THEN ' ' || translate({joined}, '/-', '  ')"
    return f"to_tsvector('simple', {_spaced(text)} || {again} ELSE '' END)"


_TERM = re.compile(r'(-*)(?:"([^"]*)"?|([^\s"!&|()]+))')
_RUN = re.compile(f"([{CJK}]+)")
_JOINT = re.compile("[/-]+")


def query(typed: str) -> str:
    """Return what somebody typed as Postgres' `to_tsquery('simple', …)` takes it.

    As `websearch_to_tsquery` reads it: all words, "a phrase", this or that, -not this;
    nothing is an error. And the last word may go on, unless it is quoted or excluded.
    """
    choices: list[list[str]] = [[]]
    terms = list(_TERM.finditer(typed))
    for at, term in enumerate(terms, 1):
        minus, phrase, word = term.groups()
        last = at == len(terms)
        if word is not None and word.lower() == "or" and not minus:
            if choices[-1] and not last:
                choices.append([])
                continue
        goes_on = word is not None and last and not minus
        found = _operand(phrase if word is None else word, goes_on)
        if found:
            choices[-1].append(f"!{found}" if minus else found)
    return " | ".join(f"({' & '.join(all_of)})" for all_of in choices if all_of)


def _operand(text: str, goes_on: bool) -> str:
    """Return a word or a phrase in brackets, an empty text if nothing is left of it."""
    pieces = _RUN.split(text)
    if len(pieces) == 1:
        return _plain(text, goes_on)
    tokens = list(_tokens([it for it in pieces if it]))
    if not tokens:
        return ""
    if len(tokens) == 1 and len(tokens[0]) == 1:
        return f"{_quoted(tokens[0])}:*"  # whatever pair begins with it, or ends a run
    if not goes_on or _RUN.fullmatch(tokens[-1]):
        return f"({_quoted(' '.join(tokens))})"
    return f"({_quoted(' '.join(tokens[:-1]))} <-> {_quoted(tokens[-1])}:*)"


def _plain(text: str, goes_on: bool) -> str:
    if not text.strip():
        return ""
    if not goes_on:
        return f"({_quoted(text)})"
    parts = [it for it in _JOINT.split(text) if it]
    if not _JOINT.search(text) or not parts:
        return f"({_quoted(text)}:*)"
    apart = [_quoted(it) for it in parts]
    return f"({_quoted(text)} | ({' & '.join(apart)}:*))"


def _tokens(pieces: Sequence[str]) -> Iterator[str]:
    """Yield the tokens of a text in order; it may go on before and after."""
    for at, piece in enumerate(pieces):
        if not _RUN.fullmatch(piece):
            if piece.strip():
                yield piece.strip()
            continue
        begins, ends = at > 0, at < len(pieces) - 1
        if begins or (len(piece) == 1 and not ends):
            yield piece[0]
        for n in range(len(piece) - 1):
            yield piece[n : n + 2]
        if ends:
            yield piece[-1]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
