"""Nothing that is sent makes the service fail: it is stored exactly, or refused."""

import asyncio
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from metacortex.kernel.text import HIDING, shows
from tests.clients import Client
from tests.http.test_envelope import refused
from tests.shared import SHARED, vectors

PARSING = SHARED / "data/vectors/json-test-suite/test_parsing"
DUPLICATES = {
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
}
"""What the suite calls JSON and we refuse (RFC 7493)."""
JSON = {"Content-Type": "application/json"}


def cases(kind: str) -> list[Path]:
    """Return the files of the JSON suite of one kind."""
    found = sorted(PARSING.glob(f"{kind}_*.json"))
    assert found, "the suite is not where it is looked for"
    return found


async def answers(client: Client, files: list[Path]) -> dict[str, int]:
    """Return the status by file."""
    found = {}
    for file in files:
        response = await client.send(
            "POST", "/tasks", headers=JSON, content=file.read_bytes()
        )
        found[file.name] = response.status_code
    return found


async def test_what_is_no_json_is_refused(client: Client) -> None:
    found = await answers(client, cases("n"))
    assert set(found.values()) <= {400, 422}, found


async def test_what_is_json_is_never_malformed(client: Client) -> None:
    found = await answers(client, cases("y"))
    assert {name for name, status in found.items() if status == 400} == DUPLICATES
    assert set(found.values()) <= {201, 400, 422}, found


async def test_what_may_be_json_never_fails(client: Client) -> None:
    found = await answers(client, cases("i"))
    assert set(found.values()) <= {400, 422}, found


def naughty() -> list[str]:
    """Return the strings that break other programs."""
    found: list[Any] = vectors("blns/blns.base64.json")
    return [b64decode(one).decode("utf-8", "surrogatepass") for one in found]


def title(text: str) -> str:
    """Return a text as a title, or another where it must not be one."""
    cut = text[:255]
    return cut if shows(cut) and not HIDING.search(cut) else "refused"


def told(text: str) -> list[dict[str, Any]]:
    """Return commands that make a task of a text, and comment on it."""
    id = str(uuid4())
    args = {"id": id, "title": title(text), "description": text}
    comment = {"body": text}
    return [
        {"id": f"a{id}", "type": "task.create", "args": args},
        {"id": f"b{id}", "type": "task.comment", "target": id, "args": comment},
    ]


async def test_naughty_strings_are_stored_exactly(client: Client) -> None:
    texts = [text for text in naughty() if text.strip()]
    for n in range(0, len(texts), 50):
        commands = [one for text in texts[n : n + 50] for one in told(text)]
        await client.do("POST", "/commands", {"commands": commands})
    sequence = 2 * len(texts)
    found: list[Any] = []
    for page in range(1, sequence // 400 + 2):
        asked = {"sort": "created_at", "per_page": 200, "page": page}
        found += (await client.get("/tasks", sequence, **asked))["data"]
    pairs = sorted((task["title"], task["description"]) for task in found)
    assert pairs == sorted((title(text).strip(), text) for text in texts)


async def test_naughty_strings_are_searched_for(client: Client) -> None:
    await client.task("a")
    texts = [text for text in naughty() if text]
    for n in range(0, len(texts), 20):
        asked = [{"q": text[:500]} for text in texts[n : n + 20]]
        sent = [client.send("GET", "/tasks", params=params) for params in asked]
        found = await asyncio.gather(*sent)
        assert {response.status_code for response in found} == {200}, asked


@pytest.mark.parametrize("field", ["title", "description"])
@pytest.mark.parametrize("escape", [rb"\u0000", rb"\ud800", rb"\udfff\ud800"])
async def test_what_cannot_be_stored_is_refused(
    client: Client, field: str, escape: bytes
) -> None:
    other = b'"title": "a", ' if field != "title" else b""
    body = b"{" + other + b'"' + field.encode() + b'": "a' + escape + b'"}'
    response = await client.send("POST", "/tasks", headers=JSON, content=body)
    assert response.status_code == 422, response.text


@pytest.mark.parametrize(
    "name",
    [
        *("\u200b", "\u3164", "\u00ad \u2060", "\u2800", "\ufeff"),  # show nothing
        *("a\u202eb", "\u202da", "a\x1b[2J", "a\x7f", "a\x9b2J"),  # hide the rest
    ],
)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/tasks", "title"),
        ("/projects", "name"),
        ("/tags", "name"),
    ],
)
async def test_a_name_shows_what_it_is(
    client: Client, path: str, field: str, name: str
) -> None:
    response = await client.send("POST", path, {field: name})
    error = response.json()["errors"][0]
    assert (response.status_code, error["code"]) == (422, "invalid_field")
    assert error["source"] == {"pointer": f"/{field}"}


@pytest.mark.parametrize("name", ["שלום \u200e1", "👩\u200d👩", "\u2067עברית\u2069"])
async def test_names_of_every_script_pass(client: Client, name: str) -> None:
    assert (await client.task(name))["title"] == name


@pytest.mark.parametrize("title", [" ", "\t\n", "\u3000", "x" * 256, None, 7, ["a"]])
async def test_a_title_is_a_text_of_1_to_255_characters(
    client: Client, title: Any
) -> None:
    response = await client.send("POST", "/tasks", {"title": title})
    assert response.status_code == 422
    assert response.json()["errors"][0]["source"] == {"pointer": "/title"}


@pytest.mark.parametrize(
    "due",
    [
        {"date": "10000-01-01"},
        {"date": "0000-01-01"},
        {"date": "2026-02-29"},
        {"date": 20261123},
        {"date": "2026-11-23", "time": "24:00"},
        {"date": "2026-11-23", "time_zone": "Mars/Olympus"},
        {"time": "09:00"},
        "2026-11-23",
    ],
)
async def test_a_deadline_is_a_day_of_the_calendar(client: Client, due: Any) -> None:
    response = await client.send("POST", "/tasks", {"title": "a", "due": due})
    assert response.status_code == 422


async def test_a_deep_body_is_refused(client: Client) -> None:
    body = orjson.dumps({"title": "a"})[:-1] + b', "due": ' + b"[" * 50_000
    response = await client.send("POST", "/tasks", headers=JSON, content=body)
    assert response.status_code == 400


@pytest.mark.parametrize(
    "path", ["/tasks/x", "/tasks/%00", "/tasks/..%2f", "/tasks/" + "9" * 2_000]
)
async def test_an_id_that_is_none_finds_nothing(client: Client, path: str) -> None:
    assert (await client.send("GET", path)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/tasks"),
        ("PATCH", "/tasks/{id}"),
        ("DELETE", "/tasks/{id}"),
        ("POST", "/tasks/{id}/complete"),
        ("POST", "/commands"),
        ("POST", "/commands/{id}/undo"),
    ],
)
async def test_a_command_takes_no_parameters(
    client: Client, method: str, path: str
) -> None:
    where = path.format(id=(await client.task())["id"]) + "?force=true"
    error = refused(await client.send(method, where), 400, "unknown_parameter")
    assert error["source"] == {"parameter": "force"}
