"""The operators' buttons: who may press them, and that each takes effect once."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.auth import Role, workspace_of
from metacortex.kernel import clock
from metacortex.kernel.database import engine
from metacortex.operations.schedules import Schedules, entries
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

ID = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a0f"  # of nothing; fixed, as test ids hold it
CLICKS = 20
BUTTONS = {
    "retryRun": "/ops/runs/{run}/retry",
    "discardRun": "/ops/runs/{run}/discard",
    "retryFailures": "/ops/failures/{fingerprint}/retry",
    "discardFailures": "/ops/failures/{fingerprint}/discard",
    "startSchedule": "/ops/schedules/retention/run",
    "pauseSchedule": "/ops/schedules/retention/pause",
    "resumeSchedule": "/ops/schedules/retention/resume",
    "pauseQueue": "/ops/queues/imports/pause",
    "resumeQueue": "/ops/queues/imports/resume",
    "retryProjection": "/ops/projections/{workspace}/retry",
    "rebuildProjection": "/ops/projections/{workspace}/rebuild",
    "verifyProjection": "/ops/projections/{workspace}/verify",
}


def test_every_button_is_tried() -> None:
    found = {
        name
        for name, operation in OPERATIONS.items()
        if "ops" in operation["tags"] and not name.startswith(("get", "list", "stream"))
    }
    assert found == BUTTONS.keys()


@pytest.fixture
async def places(client: Client, writes: AsyncEngine, urls: Urls) -> dict[str, str]:
    """What the buttons are about."""
    await client.task()
    keeping = engine(urls.projector)  # as the scheduler's
    await Schedules(keeping).declare(entries(1.0))
    await keeping.dispose()
    fingerprint = uuid4().hex[:16]
    run = await make_run(writes, **failing(fingerprint, actor="verify_workspace"))
    await make_group(writes, fingerprint, "verify_workspace", run)
    return {
        "run": str(run),
        "fingerprint": fingerprint,
        "workspace": str(workspace_of(f"user_{client.user}")),
    }


@pytest.mark.parametrize("path", BUTTONS.values())
async def test_only_operators_press_buttons(
    client: Client, places: dict[str, str], path: str
) -> None:
    for role in (Role.OWNER, Role.MEMBER, Role.AUDITOR):
        other = client.like(workspace=f"w{uuid4().hex[:12]}", role=role)
        response = await other.send("POST", path.format(**places))
        refused(response, 403, "role_required")


@pytest.mark.parametrize("body", [None, {}])
@pytest.mark.parametrize("name", BUTTONS)
async def test_a_press_is_answered_and_written_down(
    client: Client, places: dict[str, str], name: str, body: Any
) -> None:
    olga = operator(client)
    path = BUTTONS[name].format(**places)
    response = await olga.send("POST", path, body)
    assert response.status_code == 200, response.text
    keep(name, response)
    done = response.json()["data"]
    assert done["actor_id"] == f"user_{olga.user}"
    assert path.split("/")[3] in done["target"]
    assert done["ip"] == "127.0.0.1"
    [listed] = (await olga.get("/ops/actions", actor_id=done["actor_id"]))["data"]
    assert listed == done


@pytest.mark.parametrize("name", BUTTONS)
async def test_a_body_holds_nothing(
    client: Client, places: dict[str, str], name: str
) -> None:
    path = BUTTONS[name].format(**places)
    olga = operator(client)
    response = await olga.send("POST", path, {"force": True})
    refused(response, 422, "unknown_field")
    headers = {"Content-Type": "application/json"}
    response = await olga.send("POST", path, headers=headers, content=b"null")
    refused(response, 422, "invalid_field")


@pytest.mark.parametrize(
    "path",
    [
        f"/ops/runs/{ID}/retry",
        f"/ops/runs/{ID}/discard",
        "/ops/failures/nothing/retry",
        "/ops/failures/nothing/discard",
        "/ops/schedules/nothing/run",
        "/ops/schedules/nothing/pause",
        "/ops/queues/nothing/pause",
        "/ops/queues/nothing/resume",
        f"/ops/projections/{ID}/rebuild",
        f"/ops/projections/{ID}/verify",
        f"/ops/projections/{ID}/retry",
    ],
)
async def test_nothing_is_done_to_nothing(client: Client, path: str) -> None:
    olga = operator(client)
    refused(await olga.send("POST", path), 404, "not_found")
    mine = await olga.get("/ops/actions", actor_id=f"user_{olga.user}")
    assert mine["data"] == []


async def presses(client: Client, path: str) -> Counter[str]:
    """Press a button many times at once; return what each press came to."""
    olga = operator(client)

    async def press() -> None:
        """Press once; where no connection was free in time, that is to be repeated."""
        while (answer := await olga.send("POST", path)).status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
        assert answer.status_code == 200

    await asyncio.gather(*(press() for _ in range(CLICKS)))
    rows = (await olga.get("/ops/actions", actor_id=f"user_{olga.user}"))["data"]
    assert len(rows) == CLICKS
    return Counter(row["result"] for row in rows)


async def test_twenty_retries_make_one_run(
    client: Client, writes: AsyncEngine, places: dict[str, str]
) -> None:
    came_to = await presses(client, f"/ops/runs/{places['run']}/retry")
    assert came_to == {"retried": 1, "already_retried": CLICKS - 1}
    sql = "SELECT count(*) FROM workers.runs WHERE retry_of = :id"
    assert await value(writes, sql, id=UUID(places["run"])) == 1
    story = (await operator(client).get(f"/ops/runs/{places['run']}"))["data"]
    assert not story["open"]
    assert [it["retry_of"] for it in story["related"]] == [places["run"]]
    assert len(story["actions"]) == CLICKS


async def test_the_job_of_another_release_is_not_retried(
    client: Client, writes: AsyncEngine
) -> None:
    fingerprint, actor = uuid4().hex[:16], f"actor_{uuid4().hex[:8]}"
    given = failing(fingerprint, actor=actor, finished_at=clock.now())
    run = await make_run(writes, **given)
    await make_group(writes, fingerprint, actor, run)
    olga = operator(client)
    for path in (f"/ops/runs/{run}/retry", f"/ops/failures/{fingerprint}/retry"):
        found = refused(await olga.send("POST", path), 409, "actor_unknown")
        assert found["meta"] == {"actor": actor}
    assert (await olga.get(f"/ops/runs/{run}"))["data"]["open"], "it can be discarded"
    assert not (await olga.get("/ops/actions", actor_id=f"user_{olga.user}"))["data"]


async def test_twenty_discards_are_one(
    client: Client, writes: AsyncEngine, places: dict[str, str]
) -> None:
    came_to = await presses(client, f"/ops/runs/{places['run']}/discard")
    assert came_to == {"discarded": 1, "already_discarded": CLICKS - 1}
    story = (await operator(client).get(f"/ops/runs/{places['run']}"))["data"]
    assert (story["outcome"], story["open"]) == ("discarded", False)


async def test_twenty_retries_of_a_group_repeat_each_run_once(
    client: Client, writes: AsyncEngine, places: dict[str, str]
) -> None:
    fingerprint = places["fingerprint"]
    ids = [UUID(places["run"])]
    for _ in range(4):
        given = failing(fingerprint, actor="verify_workspace")
        ids.append(await make_run(writes, **given))
    await execute(
        writes,
        "UPDATE workers.runs SET finished_at = now() WHERE fingerprint = :fingerprint",
        fingerprint=fingerprint,
    )
    came_to = await presses(client, f"/ops/failures/{fingerprint}/retry")
    retried = [
        int((it + " 1").split()[1]) * n
        for it, n in came_to.items()
        if it.startswith("retried")
    ]
    assert sum(retried) == 5
    sql = "SELECT count(*) FROM workers.runs WHERE retry_of = ANY (:ids)"
    assert await value(writes, sql, ids=ids) == 5


@pytest.mark.parametrize(
    ("path", "first", "after"),
    [
        ("/ops/queues/imports", "pause", "paused"),
        ("/ops/queues/imports", "resume", "resumed"),
        ("/ops/schedules/retention", "pause", "paused"),
        ("/ops/schedules/retention", "resume", "resumed"),
    ],
)
async def test_twenty_switches_switch_once(
    client: Client, places: dict[str, str], path: str, first: str, after: str
) -> None:
    olga = operator(client)
    other = "resume" if first == "pause" else "pause"
    await olga.do("POST", f"{path}/{other}")
    came_to = await presses(client, f"{path}/{first}")
    rest = "already_paused" if first == "pause" else "not_paused"
    assert came_to == {after: 1, rest: CLICKS - 1}
    listing, name = path.split("/")[2:]
    rows = (await olga.get(f"/ops/{listing}"))["data"]
    [mine] = [row for row in rows if row["name"] == name]
    assert mine["paused"] is (first == "pause")
    await olga.do("POST", f"{path}/resume")


@pytest.mark.parametrize("verb", ["rebuild", "verify"])
async def test_twenty_rebuilds_are_one_run(
    client: Client, places: dict[str, str], verb: str
) -> None:
    path = f"/ops/projections/{places['workspace']}/{verb}"
    came_to = await presses(client, path)
    assert came_to == {"started": 1, "already_running": CLICKS - 1}
    found = await operator(client).get("/ops/runs", q=places["workspace"])
    assert [it["actor"] for it in found["data"]] == [f"{verb}_workspace"]


async def test_what_was_done_cannot_be_undone_in_the_list(
    client: Client, writes: AsyncEngine, places: dict[str, str]
) -> None:
    await operator(client).do("POST", f"/ops/runs/{places['run']}/discard")
    for sql in (
        "UPDATE workers.actions SET result = 'x'",
        "DELETE FROM workers.actions",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await execute(writes, sql)
