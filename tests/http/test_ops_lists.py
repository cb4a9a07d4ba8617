"""What operators see over HTTP: each list and page, on real rows."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.auth import Role, workspace_of
from metacortex.kernel.ids import new_id
from metacortex.queries.projector import Projector
from tests.clients import Client
from tests.conftest import Urls
from tests.http.described import OPERATIONS, keep
from tests.http.operators import (
    execute,
    failing,
    make_group,
    make_run,
    operator,
    value,
)
from tests.http.test_envelope import refused
from tests.integration.test_projector import poison

ID = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a0f"  # of nothing; fixed, as test ids hold it
GETS = {
    "getOverview": "/ops/overview",
    "getSeries": "/ops/series?metric=events",
    "listRuns": "/ops/runs",
    "listFailures": "/ops/failures",
    "listSchedules": "/ops/schedules",
    "listQueues": "/ops/queues",
    "listWorkers": "/ops/workers",
    "listProjections": "/ops/projections",
    "listChecks": "/ops/checks",
    "getDatabase": "/ops/database",
    "listActions": "/ops/actions",
}


@pytest.mark.parametrize("path", [*GETS.values(), "/ops/stream", f"/ops/runs/{ID}"])
@pytest.mark.parametrize("role", [Role.OWNER, Role.MEMBER, Role.AUDITOR])
async def test_only_operators_see_it(client: Client, role: Role, path: str) -> None:
    workspace = f"w{uuid4().hex[:12]}"
    other = client.like(workspace=workspace, role=role)
    error = refused(await other.send("GET", path), 403, "role_required")
    assert error["meta"]["roles"] == ["operator"]


@pytest.fixture
async def one_of_each(client: Client, writes: AsyncEngine) -> UUID:
    """A row in every table that operators see."""
    await client.task()
    fingerprint = uuid4().hex[:16]
    worker = new_id()
    run = await make_run(
        writes, **failing(fingerprint, actor="verify_workspace", worker=worker)
    )
    now = datetime.now(UTC)
    await make_run(writes, outcome="running", worker=worker, started_at=now)
    await make_group(writes, fingerprint, "verify_workspace", run)
    await execute(
        writes,
        "INSERT INTO workers.actions VALUES (:id, now(), 'user_olga', 'run.discard',"
        " :target, '203.0.113.7', 'done', NULL)",
        id=new_id(),
        target=str(run),
    )
    await execute(
        writes,
        "INSERT INTO workers.processes VALUES (:id, 'here', 7, 'worker', '1', now(),"
        " now(), NULL, '{maintenance}', '[]', 1, 0.5, '{}')",
        id=worker,
    )
    await execute(
        writes,
        "INSERT INTO workers.schedules (name, cron, actor) VALUES"
        " (:name, '* * * * *', 'delete_old')",
        name=uuid4().hex,
    )
    return run


@pytest.mark.parametrize("name", GETS)
async def test_answers_are_as_described(
    client: Client, one_of_each: UUID, name: str
) -> None:
    keep(name, await operator(client).send("GET", GETS[name]))


async def test_a_run_is_as_described(client: Client, one_of_each: UUID) -> None:
    response = await operator(client).send("GET", f"/ops/runs/{one_of_each}")
    keep("getRun", response)
    found = response.json()["data"]
    assert [it["id"] for it in found["attempts"]] == [str(one_of_each)]
    assert found["error"]["message"] == "the bridge is out"
    assert [it["target"] for it in found["actions"]] == [str(one_of_each)]


async def test_there_is_no_such_run(client: Client) -> None:
    response = await operator(client).send("GET", f"/ops/runs/{ID}")
    refused(response, 404, "not_found")


async def ids(client: Client, **params: Any) -> list[str]:
    found = await operator(client).get("/ops/runs", None, **params)
    return [it["id"] for it in found["data"]]


async def test_each_filter_finds_its_runs(client: Client, writes: AsyncEngine) -> None:
    named: dict[str, Any] = {
        "actor": f"a{uuid4().hex}",
        "queue": f"q{uuid4().hex}",
        "worker": uuid4(),
        "correlation_id": uuid4().hex,
        "command_id": uuid4(),
        "fingerprint": uuid4().hex[:16],
    }
    values = failing(**named, arguments={"note": f"n{named['actor']}"})
    await make_run(writes)
    id = str(await make_run(writes, **values))
    for name, wanted in named.items():
        assert await ids(client, **{name: str(wanted)}) == [id], name
        assert await ids(client, **{name: str(uuid4())}) == [], name
    mine = {"actor": named["actor"]}
    assert await ids(client, **mine, outcome="failed,crashed") == [id]
    assert await ids(client, **mine, outcome="succeeded") == []
    assert await ids(client, **mine, open="true") == [id]
    assert await ids(client, **mine, open="false") == []
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    early, late = (now - hour).isoformat(), (now + hour).isoformat()
    assert await ids(client, **mine, **{"from": early, "to": late}) == [id]
    assert await ids(client, **mine, **{"from": late}) == []
    assert await ids(client, **mine, to=early) == []
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"
    assert await ids(client, **mine, **{"from": first, "to": last}) == [id]
    assert await ids(client, **mine, **{"from": last, "to": first}) == []


async def test_a_text_finds_ids_words_and_beginnings(
    client: Client, writes: AsyncEngine
) -> None:
    word = f"w{uuid4().hex}"
    workspace = uuid4()
    about = {"arguments": {"note": word}, "workspace_id": workspace}
    id = str(await make_run(writes, **failing(uuid4().hex[:16]), **about))
    for q in (id, str(workspace), word, word[:20], f"bridge {word[:20]}"):
        assert await ids(client, q=q) == [id], q
    for q in (f"tunnel {word}", str(uuid4()), f"{word}x", "' & :*", "!!"):
        assert await ids(client, q=q) == [], q


async def test_pages_follow_each_other(client: Client, writes: AsyncEngine) -> None:
    actor = f"a{uuid4().hex}"
    made = [str(await make_run(writes, actor=actor)) for _ in range(5)]
    seen: list[str] = []
    cursor = None
    olga = operator(client)
    while True:
        more: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        page = await olga.get("/ops/runs", actor=actor, per_page=2, **more)
        seen += [it["id"] for it in page["data"]]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    first = await olga.get("/ops/runs", actor=actor, per_page=2)
    params = {"cursor": first["meta"]["next_cursor"], "actor": "other"}
    response = await olga.send("GET", "/ops/runs", params=params)
    refused(response, 400, "cursor_mismatch")
    for wrong in ("x", "W10", "WyJhIiwgMV0"):
        response = await olga.send("GET", "/ops/runs", params={"cursor": wrong})
        assert response.json()["errors"][0]["code"] in ("bad_cursor", "cursor_mismatch")


async def test_pages_of_failures_and_actions_follow_each_other(
    client: Client, writes: AsyncEngine
) -> None:
    actor = f"a{uuid4().hex}"
    for _ in range(3):
        fingerprint = uuid4().hex[:16]
        run = await make_run(writes, **failing(fingerprint, actor=actor))
        await make_group(writes, fingerprint, actor, run)
        await execute(
            writes,
            "INSERT INTO workers.actions VALUES (:id, now(), :actor, 'run.discard',"
            " 'x', NULL, 'done', NULL)",
            id=new_id(),
            actor=actor,
        )
    olga = operator(client)
    for path, name in (("failures", "actor"), ("actions", "actor_id")):
        seen: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            given = {"per_page": 1, name: actor, **more}
            page = await olga.get(f"/ops/{path}", None, **given)
            seen += page["data"]
            if page["meta"]["next_cursor"] is None:
                break
            more = {"cursor": page["meta"]["next_cursor"]}
        assert len(seen) == 3
        assert len({str(it) for it in seen}) == 3


async def test_a_group_counts_what_is_open(client: Client, writes: AsyncEngine) -> None:
    fingerprint, actor = uuid4().hex[:16], f"a{uuid4().hex}"
    first = await make_run(writes, **failing(fingerprint, actor=actor))
    await make_run(writes, **failing(fingerprint, actor=actor, open=False))
    await make_group(writes, fingerprint, actor, first)
    olga = operator(client)
    [group] = (await olga.get("/ops/failures", actor=actor, open="true"))["data"]
    assert (group["open"], group["sample_run_id"]) == (1, str(first))
    await execute(
        writes, "UPDATE workers.runs SET open = false WHERE id = :id", id=first
    )
    assert (await olga.get("/ops/failures", actor=actor, open="true"))["data"] == []
    [group] = (await olga.get("/ops/failures", actor=actor, open="false"))["data"]
    assert group["open"] == 0


async def test_a_run_tells_the_whole_story(client: Client, writes: AsyncEngine) -> None:
    done = await client.do("POST", "/tasks", {"title": "Secret title"})
    command = UUID(done["meta"]["command_id"])
    workspace = await value(
        writes,
        "SELECT workspace_id FROM commands.receipts WHERE command_id = :id",
        id=command,
    )
    message, correlation = uuid4(), uuid4().hex
    about: dict[str, Any] = {
        "workspace_id": workspace,
        "command_id": command,
        "correlation_id": correlation,
    }
    first = await make_run(
        writes, message_id=message, **failing("f1", outcome="retrying", **about)
    )
    second = await make_run(writes, message_id=message, attempt=2, **about)
    other = await make_run(writes, correlation_id=correlation)
    response = await operator(client).send("GET", f"/ops/runs/{first}")
    keep("getRun", response)
    story = response.json()["data"]
    assert [it["id"] for it in story["attempts"]] == [str(first), str(second)]
    assert [it["id"] for it in story["related"]] == [str(other)]
    [receipt] = story["commands"]
    assert (receipt["type"], receipt["outcome"]) == ("task.create", "applied")
    [event] = story["events"]
    assert (event["type"], event["sequence"]) == ("task.created", 1)
    await client.get("/tasks", at_least=1)
    story = (await operator(client).get(f"/ops/runs/{first}"))["data"]
    assert story["projections"][0]["shows_events"]
    assert "Secret" not in response.text


async def test_projections_begin_with_the_worst(
    client: Client, urls: Urls, projector: Projector
) -> None:
    await client.do("POST", "/tasks", {"title": "Kept"})
    await client.get("/tasks", at_least=1)
    used = workspace_of(f"user_{client.user}")
    await poison(urls, used)
    await projector.turn([used])
    olga = operator(client)
    found = (await olga.get("/ops/projections"))["data"]
    assert found[0]["parked"]
    [mine] = (await olga.get("/ops/projections", workspace_id=str(used)))["data"]
    assert (mine["head"], mine["checkpoint"], mine["behind"]) == (2, 1, 1)
    assert "UnknownEvent" in mine["parked"]["error"]
    assert mine["parked"]["sequence"] == 2 and mine["lag_s"] > 0
    assert mine["parked"]["event_type"] == "task.edited v2"
    assert mine["parked"]["matches_hashes"] is True
    assert "deploy the release that knows the event" in mine["parked"]["remedy"]
    seen: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = await olga.get("/ops/projections", behind="true", per_page=1, **more)
        seen += [it["workspace_id"] for it in page["data"]]
        if page["meta"]["next_cursor"] is None:
            break
        more = {"cursor": page["meta"]["next_cursor"]}
    assert str(used) in seen and len(seen) == len(set(seen))


async def test_a_series_has_a_point_for_each_step(
    client: Client, writes: AsyncEngine
) -> None:
    begin = datetime(2031, 1, 1, tzinfo=UTC)
    for metric, at, number in (
        ("lag_s", 0, 1.0),
        ("lag_s", 10, 5.0),
        ("events", 0, 1.0),
        ("events", 10, 5.0),
        ("lag_s", 40, 2.0),
    ):
        await execute(
            writes,
            "INSERT INTO workers.samples VALUES (:metric, 10, :at, :value)",
            metric=metric,
            at=begin + timedelta(seconds=at),
            value=number,
        )
    span: dict[str, Any] = {
        "from": begin.isoformat(),
        "to": (begin + timedelta(seconds=40)).isoformat(),
    }
    olga = operator(client)
    for metric, step, wanted in (
        ("lag_s", 10, [1.0, 5.0, None, None, 2.0]),
        ("lag_s", 20, [5.0, None, 2.0]),  # the worst
        ("events", 20, [3.0, None, None]),  # the mean of rates
    ):
        found = await olga.get("/ops/series", metric=metric, step=step, **span)
        assert [it["value"] for it in found["data"]["points"]] == wanted
    for wrong in (
        {"metric": "tea"},
        {"metric": "events", "step": 15},
        {"metric": "events", "to": "0001-01-01T00:00:00Z"},
        {"metric": "events", "from": span["to"], "to": span["from"]},
        {"metric": "events", "step": 10, "from": "2001-01-01T00:00:00Z"},
    ):
        response = await olga.send("GET", "/ops/series", params=wrong)
        refused(response, 400, "invalid_parameter")


def test_every_operation_of_operators_is_tried() -> None:
    found = {
        name
        for name, operation in OPERATIONS.items()
        if "ops" in operation["tags"] and name.startswith(("get", "list"))
    }
    assert found == {*GETS, "getRun"}
