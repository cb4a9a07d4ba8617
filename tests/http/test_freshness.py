"""Reading one's own writes: what is asked for is waited for, or refused."""

import asyncio

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused

FAR = {"Metacortex-Min-Sequence": "1000000"}
TRIES = 5  # a machine that stood still for seconds may answer all at once
QUERIES = ("/tasks", "/tasks/stats", "/changes", "/projects", "/audit/events")


@pytest.mark.parametrize("path", QUERIES)
async def test_a_far_sequence_is_refused_in_the_end(client: Client, path: str) -> None:
    headers = {**FAR, "Prefer": "wait=0.1"}
    response = await client.send("GET", path, headers=headers)
    error = refused(response, 503, "read_model_lagging")
    assert error["meta"]["asked"] == 1_000_000
    assert int(response.headers["Retry-After"]) >= 1


async def test_a_query_waits_as_long_as_it_is_told(client: Client) -> None:
    expected = [*["wait=0.1"] * len(QUERIES), "handling=strict", "wait=4"]
    for _ in range(TRIES):
        if await _order_of_ends(client) == expected:
            return
    pytest.fail("who was told to wait less was never answered earlier")


async def _order_of_ends(client: Client) -> list[str]:
    """Ask for what does not come, the most patient first; return who was told when."""
    told: list[str] = []

    async def ask(path: str, prefer: str) -> None:
        await client.send("GET", path, headers={**FAR, "Prefer": prefer})
        told.append(prefer)

    asked = [("/tasks", "wait=4"), ("/tasks", "handling=strict")]
    asked += [(path, "wait=0.1") for path in QUERIES]
    await asyncio.gather(*(ask(*it) for it in asked))
    return told


@pytest.mark.parametrize("path", QUERIES[:4])
async def test_a_lenient_client_gets_what_there_is(client: Client, path: str) -> None:
    headers = {**FAR, "Prefer": "wait=0.1, handling=lenient"}
    response = await client.send("GET", path, headers=headers)
    assert response.status_code == 200
    assert response.json()["meta"]["stale"] is True


async def test_a_single_resource_waits_as_well(client: Client) -> None:
    task = await client.task()
    path = f"/tasks/{task['id']}"
    assert (await client.get(path, 1))["data"] == task
    headers = {**FAR, "Prefer": "wait=0.1"}
    response = await client.send("GET", path, headers=headers)
    refused(response, 503, "read_model_lagging")


async def test_a_query_waits_for_what_is_still_to_come(client: Client) -> None:
    headers = {"Metacortex-Min-Sequence": "1", "Prefer": "wait=10"}
    waiting = asyncio.create_task(client.send("GET", "/tasks", headers=headers))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    task = await client.task()
    assert [it["id"] for it in (await waiting).json()["data"]] == [task["id"]]


async def test_every_query_says_which_sequence_it_shows(client: Client) -> None:
    task = await client.task()
    await client.get("/tasks", 1)
    for path in (*QUERIES, f"/tasks/{task['id']}", f"/tasks/{task['id']}/history"):
        response = await client.send("GET", path)
        assert response.json()["meta"]["sequence"] == 1, path
        assert response.headers["Metacortex-Sequence"] == "1", path


@pytest.mark.parametrize("value", ["-1", "x", "", "1.5", "٣", "9" * 17, "9" * 5_000])
async def test_a_sequence_of_another_form_is_refused(
    client: Client, value: str
) -> None:
    headers = {"Metacortex-Min-Sequence": value.encode()}
    response = await client.http.get(
        "/api/v1/tasks",
        headers={b"Authorization": f"Bearer {client.token}".encode()}
        | {k.encode(): v for k, v in headers.items()},
    )
    error = refused(response, 400, "invalid_header")
    assert error["source"] == {"header": "Metacortex-Min-Sequence"}


@pytest.mark.parametrize("prefer", ["wait=x", "respond-async", ",", "wait=-1"])
async def test_a_preference_that_is_not_ours_is_passed_over(
    client: Client, prefer: str
) -> None:
    headers = {"Metacortex-Min-Sequence": "0", "Prefer": prefer}
    assert (await client.send("GET", "/tasks", headers=headers)).status_code == 200
