"""The verdict of a running installation: trouble is seen, and gone, in a minute."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.app import local_issuer
from metacortex.api.auth import Role, workspace_of
from metacortex.kernel.database import engine
from tests.clients import Client
from tests.http.operators import execute
from tests.integration.installation import Installation

MINUTE_S = 60.0  # what the contract allows, for seeing and for forgetting
BUSY = 2.0  # on a machine that other tests keep busy, times as long
LOOK_S = 0.25


@pytest.fixture(scope="module")
async def installation() -> AsyncIterator[Installation]:
    """One installation for all: each test leaves it whole."""
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        begun = await Installation.begin(Path(folder))
        try:
            for part in ("api", "worker", "scheduler"):
                begun.start(part)
            await asyncio.to_thread(begun.wait_ready)
            yield begun
        finally:
            begun.end()


@pytest.fixture
async def olga(installation: Installation) -> AsyncIterator[Client]:
    """An operator of it, to whom it is healthy."""
    issuer = local_issuer(installation.settings)
    async with httpx2.AsyncClient(base_url=installation.base_url, timeout=20) as http:
        found = Client.new(http, issuer, role=Role.OPERATOR)
        await told(found, None)
        yield found
        await told(found, None)


@pytest.fixture
async def keeping(installation: Installation) -> AsyncIterator[AsyncEngine]:
    """Its database, as the projector sees it."""
    found = engine(installation.urls.projector)
    yield found
    await found.dispose()


async def told(olga: Client, code: str | None) -> dict[str, Any]:
    """Return the overview once it names a condition; with None, once it is healthy."""
    until = time.monotonic() + MINUTE_S * BUSY
    while True:
        found: dict[str, Any] = (await olga.get("/ops/overview"))["data"]
        codes = [it["code"] for it in found["reasons"]]
        if code in codes or (code is None and found["verdict"] == "healthy"):
            return found
        assert time.monotonic() < until, found
        await asyncio.sleep(LOOK_S)


async def test_a_healthy_installation_says_so(olga: Client) -> None:
    found = await told(olga, None)
    assert found["reasons"] == []
    assert found["workers"] == {"alive": 3, "stalled": 0}
    kinds = [it["kind"] for it in (await olga.get("/ops/workers"))["data"]]
    assert sorted(kinds) == ["api", "scheduler", "worker"]


async def test_a_parked_workspace_fails_until_it_is_retried(
    olga: Client, keeping: AsyncEngine
) -> None:
    anna = olga.like()
    await anna.do("POST", "/tasks", {"title": "Kept"})
    await anna.get("/tasks", at_least=1)
    workspace = workspace_of(f"user_{anna.user}")
    await execute(
        keeping,
        "UPDATE queries.checkpoints SET parked_at = now(), error = 'Broken()'"
        " WHERE workspace_id = :workspace",
        workspace=workspace,
    )
    found = await told(olga, "workspace_parked")
    assert found["verdict"] == "failing"
    [worst, *_] = (await olga.get("/ops/projections"))["data"]
    assert (worst["workspace_id"], worst["parked"]["error"]) == (
        str(workspace),
        "Broken()",
    )
    done = await olga.do("POST", f"/ops/projections/{workspace}/retry")
    assert done["data"]["result"] == "started"


async def test_a_failing_job_is_open_until_it_is_discarded(
    olga: Client, keeping: AsyncEngine
) -> None:
    anna = olga.like()
    await anna.do("POST", "/tasks", {"title": "Kept"})
    await anna.get("/tasks", at_least=1)
    workspace = workspace_of(f"user_{anna.user}")
    sql = "DELETE FROM queries.activity WHERE workspace_id = :workspace"
    await execute(keeping, sql, workspace=workspace)
    done = await olga.do("POST", f"/ops/projections/{workspace}/verify")
    run = done["data"]["run_id"]
    found = await told(olga, "failures_open")
    assert found["verdict"] == "degraded"
    [group] = (await olga.get("/ops/failures", None, open="true"))["data"]
    assert (group["actor"], group["sample_run_id"]) == ("verify_workspace", run)
    story = (await olga.get(f"/ops/runs/{run}"))["data"]
    assert story["outcome"] == "failed" and story["error"]["traceback"]
    await olga.do("POST", f"/ops/projections/{workspace}/rebuild")
    await olga.do("POST", f"/ops/failures/{group['fingerprint']}/discard")


async def test_a_worker_that_is_stopped_stalls(
    olga: Client, installation: Installation
) -> None:
    process = installation.processes["worker"]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        found = await told(olga, "worker_stalled")
        [reason] = [it for it in found["reasons"] if it["code"] == "worker_stalled"]
        assert f":{process.pid}" in reason["detail"]
        rows = (await olga.get("/ops/workers"))["data"]
        [mine] = [it for it in rows if it["pid"] == process.pid]
        assert mine["state"] == "stalled"
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def test_without_a_worker(olga: Client, installation: Installation) -> None:
    installation.kill("worker")
    await told(olga, "no_worker")
    installation.start("worker")


async def test_without_a_scheduler(olga: Client, installation: Installation) -> None:
    installation.stop("scheduler")
    await told(olga, "no_scheduler")
    installation.start("scheduler")


async def test_without_a_broker(olga: Client, installation: Installation) -> None:
    installation.redis.stop()
    found = await told(olga, "broker_unreachable")
    assert found["verdict"] == "degraded"
    ready = await olga.http.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["data"]["status"] == "degraded"
    installation.restart_redis()


async def test_without_a_database(olga: Client, installation: Installation) -> None:
    installation.kill_postgres()
    found = await told(olga, "database_unreachable")
    assert (found["verdict"], found["lag"]) == ("failing", None)
    assert (await olga.http.get("/health/ready")).status_code == 503
    metrics = (await olga.http.get("/metrics")).text
    assert "metacortex_database_up 0.0" in metrics
    installation.restart_postgres()


async def test_doctor_is_asked_by_the_api(olga: Client) -> None:
    found = {it["check"]: it for it in (await olga.get("/ops/checks"))["data"]}
    assert found["schema"]["status"] == found["scheduler"]["status"] == "ok"
    assert found["schema"]["remedy"] is None
