"""Cursors that somebody has taken apart and put together again: 200 or 400."""

import base64
from collections.abc import Sequence
from typing import Any

import httpx2
import hypothesis
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metacortex.api.app import local_issuer
from metacortex.settings import Settings
from tests.clients import Client
from tests.http.test_envelope import refused

LISTS = (
    ("/tasks", {"sort": "due"}),
    ("/tasks", {"sort": "-due"}),
    ("/tasks", {"sort": "-due,priority,-title"}),
    ("/tasks", {"sort": "-created_at"}),
    ("/tasks", {"sort": "updated_at"}),
    ("/tasks", {"q": "milk"}),
    ("/projects", {"sort": "name"}),
    ("/tags", {"sort": "-updated_at"}),
)

EXAMPLES = 60  # of each list; thousands found nothing more

clock_time = st.one_of(
    st.from_regex(r"[0-9:]{8}(\.[0-9]{1,7})?", fullmatch=True),
    st.times().map(str),
    st.sampled_from(
        [
            "24:00:00",
            "23:59:60",
            "11111111",
            "111111",
            "00:00:00.000000",
            "12:34",
            "1:2:3",
        ]
    ),
)
day = st.one_of(
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True),
    st.dates().map(str),
    st.sampled_from(["0000-01-01", "2026-02-29", "-infinity", "infinity", "epoch"]),
)
offset = st.from_regex(r"|[+-][0-9]{1,2}(:?[0-9]{2}){0,2}|Z| BC", fullmatch=True)
values = st.one_of(
    st.text(max_size=20),
    st.builds(lambda d, t, o: f"{d} {t}{o}", day, clock_time, offset),
    day,
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-40_000, 40_000).map(str),
    st.floats().map(str),
    st.from_regex(
        r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?", fullmatch=True
    ),
    st.uuids().map(str),
    st.uuids().map(lambda it: it.hex),
    st.sampled_from(["", "\x00", "a\x00b", "NaN", "\ud7ff\uffff", "١٢", "1_000", " 1"]),
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.lists(st.text(max_size=3), max_size=2),
)


@st.composite
def forgeries(draw: st.DrawFn, parts: Sequence[Any]) -> list[Any]:
    """Change, drop or add parts of a cursor, most often one of them."""
    made = list(parts)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        index = draw(st.integers(1, max(1, len(made) - 1)))
        how = draw(st.sampled_from(["set", "set", "set", "edit", "drop", "add"]))
        if how == "add":
            made.insert(index, draw(values))
        elif index >= len(made):
            continue
        elif how == "drop":
            del made[index]
        elif how == "edit" and isinstance(made[index], str):
            made[index] = draw(edited(made[index]))
        else:
            made[index] = draw(values)
    return made


@st.composite
def edited(draw: st.DrawFn, value: str) -> str:
    """Put another character in the place of one."""
    at = draw(st.integers(0, max(0, len(value) - 1)))
    other = draw(st.one_of(st.sampled_from("0123456789-+:. eE\x00"), st.characters()))
    return value[:at] + other + value[at + 1 :]


def unpacked(cursor: str) -> list[Any]:
    """Return the parts of a cursor."""
    found: list[Any] = orjson.loads(base64.urlsafe_b64decode(cursor + "=="))
    return found


def packed(parts: Any) -> str:
    """Return a cursor of parts."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


@pytest.fixture(scope="module")
async def forger(http: httpx2.AsyncClient, settings: Settings) -> Client:
    """Somebody with two rows in each list."""
    found = Client.new(http, local_issuer(settings))
    for n in "ab":
        await found.do("POST", "/projects", {"name": f"milk {n}"})
        await found.do("POST", "/tags", {"name": f"milk {n}"})
        last = await found.do("POST", "/tasks", {"title": f"milk {n}"})
    await found.get("/tasks", last["meta"]["sequence"])
    return found


@pytest.mark.parametrize(("path", "params"), LISTS)
@hypothesis.settings(max_examples=EXAMPLES)
@given(data=st.data())
async def test_a_cursor_put_together_again_is_taken_or_refused(
    forger: Client, path: str, params: dict[str, str], data: st.DataObject
) -> None:
    query: dict[str, Any] = {**params, "per_page": "1"}
    cursor = (await forger.get(path, **query))["meta"]["next_cursor"]
    parts = data.draw(forgeries(unpacked(cursor)))
    query["cursor"] = packed(parts)
    response = await forger.send("GET", path, params=query)
    if response.status_code != 200:
        refused(response, 400, "bad_cursor")


async def test_a_sort_key_comes_once(client: Client) -> None:
    """Postgres has no more than 1,664 columns, and is not asked for them."""
    for sort in ("due,due", "due,-due", ",".join(["due"] * 600)):
        response = await client.send("GET", "/tasks", params={"sort": sort})
        refused(response, 400, "invalid_parameter")
