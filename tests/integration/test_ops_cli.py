"""`metacortex ops …` says what the API says, from the same database."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.settings import Settings
from tests.clients import Client
from tests.http.operators import failing, make_group, make_run, operator
from tests.integration.test_operating import call

VIEWS = (
    "overview",
    "runs",
    "failures",
    "schedules",
    "queues",
    "workers",
    "projections",
    "actions",
)


@pytest.fixture
async def run(client: Client, writes: AsyncEngine) -> str:
    """The id of a run that failed, and was discarded."""
    await client.task()
    fingerprint = uuid4().hex[:16]
    made = await make_run(writes, **failing(fingerprint, actor="verify_workspace"))
    await make_group(writes, fingerprint, "verify_workspace", made)
    await operator(client).do("POST", f"/ops/runs/{made}/discard")
    return str(made)


MOVING = (
    "lag_s",
    "seen_at",
    "oldest_age_s",
    "loop_delay_ms",
    "rss_bytes",
    "behind",
    "checkpoint",
    "per_minute",
    "running",
    "last_run",
    "next_at",
)


def steady(found: Any) -> Any:
    """Leave out what is another a moment later."""
    if isinstance(found, list):
        return [steady(it) for it in found]
    return {name: it for name, it in found.items() if name not in MOVING}


@pytest.mark.parametrize("name", VIEWS[1:])
async def test_a_view_shows_what_the_api_shows(
    settings: Settings, client: Client, run: str, name: str
) -> None:
    said = await call(settings, "ops", name, "--json")
    assert said.exit_code == 0, said.output
    answered = await operator(client).get(f"/ops/{name}")
    shown = json.loads(said.stdout)
    assert steady(shown) == steady(answered["data"])[: len(shown)]
    if name in ("runs", "failures", "actions", "projections"):
        assert shown
    said = await call(settings, "ops", name)
    assert said.exit_code == 0, said.output


async def test_the_overview_tells_the_verdict(settings: Settings, run: str) -> None:
    said = await call(settings, "ops", "overview", "--json")
    found = json.loads(said.stdout)
    assert found["verdict"] in ("healthy", "degraded", "failing")
    assert (said.exit_code == 1) == (found["verdict"] == "failing")
    said = await call(settings, "ops", "overview")
    assert found["verdict"] in said.stdout


async def test_runs_are_filtered(settings: Settings, run: str) -> None:
    said = await call(settings, "ops", "runs", "--json", "--q", run)
    assert [it["id"] for it in json.loads(said.stdout)] == [run]
    said = await call(settings, "ops", "runs", "--json", "--q", run, "--open")
    assert json.loads(said.stdout) == []
    said = await call(settings, "ops", "runs", "--q", run, "--outcome", "failed")
    assert said.stdout == "Runs: none\n"


NOBODY = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a0f"


@pytest.mark.parametrize(
    ("view", "finds", "misses"),
    [
        ("runs", ("--queue", "maintenance"), ("--queue", "nothing")),
        ("runs", ("--from", "2026-01-01"), ("--to", "2026-01-01")),
        ("runs", (), ("--worker", NOBODY)),
        ("runs", (), ("--correlation", "nothing")),
        ("runs", (), ("--command", NOBODY)),
        ("runs", (), ("--fingerprint", "nothing")),
        ("runs", ("--outcome", "failed", "--outcome", "discarded"), ("--q", "nothing")),
        ("failures", (), ("--actor", "nothing")),
        ("projections", (), ("--workspace", NOBODY)),
        ("actions", (), ("--by", "nobody")),
        ("actions", (), ("--action", "nothing")),
        ("actions", (), ("--target", "nothing")),
    ],
)
async def test_the_filters_are_those_of_the_api(
    settings: Settings,
    run: str,
    view: str,
    finds: tuple[str, ...],
    misses: tuple[str, ...],
) -> None:
    said = await call(settings, "ops", view, "--json", *finds)
    assert said.exit_code == 0 and json.loads(said.stdout), said.output
    said = await call(settings, "ops", view, "--json", *misses)
    assert said.exit_code == 0 and json.loads(said.stdout) == [], said.output
