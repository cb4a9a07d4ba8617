"""Pages and cursors: exact totals, and every row exactly once."""

import base64
from typing import Any

import orjson
import pytest

from tests.clients import Client
from tests.http.test_envelope import refused

DUES = ("2026-12-01", None, "2026-11-01", None, "2026-12-01", "2027-01-01", None)
PRIORITIES = ("low", "urgent", "high", "low", "urgent", "medium", "low")


async def some(client: Client, count: int = 7) -> int:
    """Create tasks whose deadlines and priorities repeat; return the sequence."""
    commands: list[dict[str, Any]] = []
    for n in range(count):
        due = DUES[n % 7]
        args: dict[str, Any] = {"title": f"t{n:03}", "priority": PRIORITIES[n % 7]}
        args["due"] = {"date": due} if due else None
        commands.append({"id": f"c{n}", "type": "task.create", "args": args})
    done = await client.do("POST", "/commands", {"commands": commands})
    sequence: int = done["meta"]["sequence"]
    await client.get("/tasks", sequence)
    return sequence


async def walk(client: Client, **params: Any) -> list[dict[str, Any]]:
    """Return all rows by cursor."""
    page = await client.get("/tasks", **params)
    found = list(page["data"])
    while cursor := page["meta"]["next_cursor"]:
        page = await client.get("/tasks", cursor=cursor, **params)
        found += page["data"]
    return found


async def test_an_empty_list_is_a_list(client: Client) -> None:
    found = await client.get("/tasks")
    assert found["data"] == []
    meta = found["meta"]
    assert (meta["page"], meta["per_page"], meta["total"]) == (1, 50, 0)
    assert (meta["next_cursor"], meta["sequence"]) == (None, 0)


async def test_pages_cover_the_list_with_an_exact_total(client: Client) -> None:
    await some(client)
    found = []
    for page in (1, 2, 3, 4):
        answer = await client.get("/tasks", page=page, per_page=3, sort="title")
        assert (answer["meta"]["page"], answer["meta"]["total"]) == (page, 7)
        found += [task["title"] for task in answer["data"]]
    assert found == [f"t{n:03}" for n in range(7)]


async def test_newest_come_first_unless_said_otherwise(client: Client) -> None:
    first, second = await client.task("a"), await client.task("b")
    found = await client.get("/tasks", 2)
    assert [task["id"] for task in found["data"]] == [second["id"], first["id"]]


@pytest.mark.parametrize(
    "sort",
    [
        "due",
        "-due",
        "due,-priority",
        "-due,priority",
        "-priority,due,title",
        "title",
        "-updated_at",
        "created_at,-title",
    ],
)
async def test_a_cursor_walks_the_list_in_the_lists_order(
    client: Client, sort: str
) -> None:
    await some(client)
    whole = (await client.get("/tasks", sort=sort, per_page=200))["data"]
    assert len({task["id"] for task in whole}) == 7
    for per_page in (1, 2, 3, 7):
        assert await walk(client, sort=sort, per_page=per_page) == whole


@pytest.mark.parametrize("sort", ["due", "-due"])
async def test_what_has_no_deadline_comes_last(client: Client, sort: str) -> None:
    await some(client)
    rows = (await client.get("/tasks", sort=sort))["data"]
    found = [row["due"]["date"] if row["due"] else None for row in rows]
    given = sorted((due for due in DUES if due), reverse=sort == "-due")
    assert found == [*given, None, None, None]


@pytest.mark.parametrize("sort", ["due", "-due"])
async def test_deadlines_of_a_day_are_in_the_order_of_the_clock(
    client: Client, sort: str
) -> None:
    for time in ("18:00", None, "08:00", "00:00"):
        due = {"date": "9999-12-31", "time": time, "time_zone": "Pacific/Honolulu"}
        await client.task(str(time), due=due)
    await client.get("/tasks", 4)
    given = ["00:00", "08:00", "18:00", "None"]
    found = await walk(client, sort=sort, per_page=1)
    titles = [task["title"] for task in found]
    assert titles == (given if sort == "due" else given[::-1])


async def test_a_cursor_is_stable_while_rows_come_and_go(client: Client) -> None:
    await some(client, 40)
    before = {task["id"] for task in (await client.get("/tasks"))["data"]}
    page = await client.get("/tasks", per_page=5)
    seen = [task["id"] for task in page["data"]]
    gone = set()
    while cursor := page["meta"]["next_cursor"]:
        await client.task("new")
        gone.add(seen[0])
        done = await client.do("DELETE", f"/tasks/{seen[0]}")
        seen_first = seen.pop(0)
        assert seen_first in gone
        page = await client.get(
            "/tasks", done["meta"]["sequence"], cursor=cursor, per_page=5
        )
        seen += [task["id"] for task in page["data"]]
    assert len(seen) == len(set(seen))
    assert set(seen) | gone == before


async def test_page_and_cursor_exclude_each_other(client: Client) -> None:
    await some(client)
    cursor = (await client.get("/tasks", per_page=2))["meta"]["next_cursor"]
    params = {"per_page": "2", "cursor": cursor, "page": "1"}
    response = await client.send("GET", "/tasks", params=params)
    refused(response, 400, "invalid_parameter")


@pytest.mark.parametrize(
    "changed", [{"status": "pending"}, {"sort": "due"}, {"per_page": "3"}, {"q": "t"}]
)
async def test_a_cursor_of_another_query_is_refused(
    client: Client, changed: dict[str, str]
) -> None:
    await some(client)
    cursor = (await client.get("/tasks", per_page=2))["meta"]["next_cursor"]
    params = {"per_page": "2", "cursor": cursor, **changed}
    response = await client.send("GET", "/tasks", params=params)
    refused(response, 400, "cursor_mismatch")


@pytest.mark.parametrize("path", ["/projects", "/tags", "/audit/events"])
async def test_a_cursor_of_another_list_is_refused(client: Client, path: str) -> None:
    await some(client)
    cursor = (await client.get("/tasks", per_page=2))["meta"]["next_cursor"]
    params = {"per_page": "2", "cursor": cursor}
    response = await client.send("GET", path, params=params)
    refused(response, 400, "cursor_mismatch")


def encoded(value: Any) -> str:
    """Return a cursor of a value."""
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    ["x", "====", "é", "\x00", "a" * 2_000, *map(encoded, (None, 7, {}, [], ["x"]))],
)
async def test_a_cursor_that_is_none_is_refused(client: Client, cursor: str) -> None:
    response = await client.send("GET", "/tasks", params={"cursor": cursor})
    assert response.status_code == 400
    assert response.json()["errors"][0]["source"] == {"parameter": "cursor"}


FORGED = (
    ["soon", "1", "x"],
    ["2026-01-01 00:00:00", "99999999999", "x"],
    ["\x00", "\x00", "\x00"],
    ["2026-01-01 11111111", "1", "01a20000-0000-7000-8000-000000000000"],
    ["2026-02-31 00:00:00", "1", "01a20000-0000-7000-8000-000000000000"],
)


@pytest.mark.parametrize(
    "keys",
    [
        ["2026-01-01 00:00:00"],
        ["2026-01-01 00:00:00", "7", "x", "y"],
        [None, None, None],
        *FORGED,
    ],
)
async def test_a_forged_cursor_is_refused(client: Client, keys: list[Any]) -> None:
    await some(client)
    params: dict[str, Any] = {"per_page": "2", "sort": "due,priority"}
    cursor = (await client.get("/tasks", **params))["meta"]["next_cursor"]
    mark = orjson.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
    forged = {**params, "cursor": encoded([mark, *keys])}
    response = await client.send("GET", "/tasks", params=forged)
    refused(response, 400, "bad_cursor")


@pytest.mark.parametrize("offset", ["+16:00", "+23:59", "-23"])
async def test_an_instant_that_no_database_writes_is_refused(
    client: Client, offset: str
) -> None:
    await some(client)
    cursor = (await client.get("/tasks", per_page=1))["meta"]["next_cursor"]
    mark, at, id = orjson.loads(base64.urlsafe_b64decode(cursor + "=="))
    moved = encoded([mark, at.replace("+00", offset), id])
    params = {"per_page": "1", "cursor": moved}
    refused(await client.send("GET", "/tasks", params=params), 400, "bad_cursor")


async def test_a_long_title_makes_a_cursor_that_is_taken(client: Client) -> None:
    for end in "ab":
        last = await client.do("POST", "/tasks", {"title": "\x01" * 250 + end})
    params: dict[str, Any] = {"per_page": "1", "sort": "title"}
    page = await client.get("/tasks", last["meta"]["sequence"], **params)
    cursor = page["meta"]["next_cursor"]
    assert len((await client.get("/tasks", cursor=cursor, **params))["data"]) == 1


async def test_a_cursor_of_another_time_zone_is_refused(client: Client) -> None:
    await some(client)
    params: dict[str, Any] = {
        "per_page": "1",
        "overdue": "false",
        "time_zone": "Asia/Tokyo",
    }
    params["cursor"] = (await client.get("/tasks", **params))["meta"]["next_cursor"]
    assert (await client.send("GET", "/tasks", params=params)).status_code == 200
    params["time_zone"] = "America/New_York"
    refused(await client.send("GET", "/tasks", params=params), 400, "cursor_mismatch")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("per_page", "201"),
        ("per_page", "1000000000"),
        ("per_page", "0"),
        ("per_page", "-1"),
        ("per_page", "ten"),
        ("per_page", "9" * 5_000),
        ("page", "0"),
        ("page", "1e3"),
        ("page", "9" * 30),
        ("sort", "colour"),
        ("sort", "due;drop"),
        ("sort", ","),
        ("sort", "--due"),
        ("cursor", ""),
    ],
)
async def test_a_bad_page_is_refused_and_not_mended(
    client: Client, name: str, value: str
) -> None:
    response = await client.send("GET", "/tasks", params={name: value})
    assert response.status_code == 400, response.text
    error = response.json()["errors"][0]
    assert error["source"] == {"parameter": name}


async def test_a_sort_names_a_key_once(client: Client) -> None:
    response = await client.send("GET", "/tasks", params={"sort": "due,-due"})
    assert response.status_code in (200, 400)


async def test_relevance_needs_a_search(client: Client) -> None:
    response = await client.send("GET", "/tasks", params={"sort": "-relevance"})
    error = refused(response, 400, "invalid_parameter")
    assert error["source"] == {"parameter": "sort"}


async def test_a_parameter_that_stands_twice_is_refused(client: Client) -> None:
    response = await client.send("GET", "/tasks?page=1&page=2")
    refused(response, 400, "invalid_parameter")


@pytest.mark.parametrize(
    "path",
    [
        "/tasks",
        "/projects",
        "/tags",
        "/tasks/stats",
        "/changes",
        "/audit/events",
        "/events/stream",
    ],
)
async def test_an_unknown_parameter_is_refused(client: Client, path: str) -> None:
    response = await client.send("GET", path, params={"colour": "red"})
    error = refused(response, 400, "unknown_parameter")
    assert error["source"] == {"parameter": "colour"}


@pytest.mark.parametrize("number", ["1_0", "+5", "-1", "5.0", " 5", "٥", "0x5", ""])
async def test_a_number_is_written_in_digits(client: Client, number: str) -> None:
    response = await client.send("GET", "/tasks", params={"per_page": number})
    assert response.status_code == 400
    error = response.json()["errors"][0]
    assert error["code"] == "invalid_parameter"
    assert error["source"] == {"parameter": "per_page"}
