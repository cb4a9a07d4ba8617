"""The verdict: what holds for long enough is told, what ends is not."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from metacortex.operations.conditions import (
    CONDITIONS,
    Finding,
    Judge,
    verdict_of,
)
from metacortex.operations.heartbeats import BEAT_S
from metacortex.operations.leader_tasks import TICK_S
from metacortex.operations.process_states import GONE_S, STALLED_S
from metacortex.workers import LEASE_S
from tests.conftest import ROOT

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
RUNBOOK = ROOT / "docs/operations.md"
PERSISTING = [code for code, it in CONDITIONS.items() if it.persists_s]
ALERTS = ROOT / "docs/monitoring/alerts.yaml"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("code", CONDITIONS)
def test_a_condition_is_told_within_a_minute_and_forgotten_at_once(code: str) -> None:
    judge = Judge()
    assert judge.judge([], NOW).verdict == "healthy"
    told = [judge.judge([Finding(code, "x")], after(s)) for s in range(1, 61)]
    assert [it.code for it in told[-1].reasons] == [code]
    assert told[-1].verdict == CONDITIONS[code].severity
    ended = judge.judge([], after(61))
    assert (ended.verdict, ended.reasons) == ("healthy", ())


@pytest.mark.parametrize("code", PERSISTING)
def test_what_flickers_is_not_told(code: str) -> None:
    judge, needed = Judge(), CONDITIONS[code].persists_s
    judge.judge([], NOW)
    for second in range(200):
        holds = second % needed < needed - 1
        found = [Finding(code, "x")] if holds else []
        assert judge.judge(found, after(second)).verdict == "healthy"


@pytest.mark.parametrize("code", PERSISTING)
def test_what_holds_is_told_since_it_does(code: str) -> None:
    judge, needed = Judge(), CONDITIONS[code].persists_s
    judge.judge([], NOW)
    assert judge.judge([Finding(code, "x")], after(1)).reasons == ()
    assert judge.judge([Finding(code, "x")], after(needed)).reasons == ()
    [reason] = judge.judge([Finding(code, "x")], after(needed + 1)).reasons
    assert reason.since == after(1)


@pytest.mark.parametrize("code", PERSISTING)
def test_the_first_look_has_no_past(code: str) -> None:
    assert Judge().judge([Finding(code, "x")], NOW).reasons
    young = Finding(code, "x", since=after(-1))
    assert not Judge().judge([young], NOW).reasons
    old = Finding(code, "x", since=after(-CONDITIONS[code].persists_s))
    assert Judge().judge([old], NOW).reasons


def test_what_fails_outweighs_what_is_degraded() -> None:
    assert verdict_of([]) == "healthy"
    assert verdict_of(["failures_open"]) == "degraded"
    assert verdict_of(["failures_open", "workspace_parked"]) == "failing"


def test_reasons_come_worst_first() -> None:
    found = [Finding(code, "x") for code in [*CONDITIONS][::-1]]
    reasons = Judge().judge(found, NOW).reasons
    assert [it.code for it in reasons] == list(CONDITIONS)


def anchors() -> dict[str, str]:
    """Return the paragraphs of the runbook by the anchors of their headings."""
    text = RUNBOOK.read_text()
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-"): body
        for heading, body in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize("code", CONDITIONS)
def test_the_runbook_has_a_paragraph_for_it(code: str) -> None:
    condition = CONDITIONS[code]
    assert f"`{code}`" in anchors()[condition.anchor]


@pytest.mark.parametrize("code", CONDITIONS)
def test_the_table_of_the_runbook_is_that_of_the_code(code: str) -> None:
    it = CONDITIONS[code]
    row = (
        f"| `{code}` | {it.title} | {it.severity} | {it.threshold:g} {it.unit} |"
        f" {it.persists_s:g} s | [what to do](#{it.anchor}) |"
    )
    assert row in RUNBOOK.read_text()


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(ALERTS.read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def test_there_is_an_alert_for_each_condition() -> None:
    codes = [rule["labels"].get("code") for rule in rules()]
    assert [code for code in codes if code is not None] == list(CONDITIONS)


@pytest.mark.parametrize("code", CONDITIONS)
def test_an_alert_says_what_the_table_says(code: str) -> None:
    condition = CONDITIONS[code]
    [rule] = [it for it in rules() if it["labels"].get("code") == code]
    assert rule["expr"] == f'max(metacortex_condition{{code="{code}"}}) == 1'
    assert rule["labels"]["severity"] == condition.severity
    assert rule["annotations"]["summary"] == condition.title
    assert rule["annotations"]["runbook_url"] == (
        f"docs/operations.md#{condition.anchor}"
    )


SCRAPE_S = 10.0  # the slowest who looks: `docs/monitoring/prometheus.yml`
MINUTE_S = 60.0
HOLDS_AFTER_S: dict[str, float] = {
    "database_unreachable": CONDITIONS["database_unreachable"].threshold,
    "schema_mismatch": 0.0,
    "workspace_parked": 0.0,
    "projection_lagging": 0.0,  # from the tenth second of lag on
    "disk_low": 0.0,
    "broker_unreachable": CONDITIONS["broker_unreachable"].threshold,
    "no_worker": STALLED_S,
    "no_scheduler": LEASE_S,
    "worker_stalled": STALLED_S + 2 * BEAT_S,  # the row is written every other second
    "queue_growing": 0.0,  # from the thirtieth second on
    "failures_open": 3.0 + BEAT_S,  # two attempts, and the waits between them
    "replica_lagging": BEAT_S,  # from the tenth second of lag on
}
"""Until a look finds it, from when it begins."""
ENDS_AFTER_S: dict[str, float] = {
    "no_worker": BEAT_S,
    "no_scheduler": TICK_S,
    "worker_stalled": GONE_S - STALLED_S,  # a killed one is no longer waited for
    "replica_lagging": BEAT_S,
}
"""Until a look no longer finds it, from when it ends; all others at once."""


@pytest.mark.parametrize("code", CONDITIONS)
def test_even_who_looks_every_ten_seconds_sees_it_within_a_minute(code: str) -> None:
    """The look that finds it first, and the one after it has held for long enough."""
    prometheus = yaml.safe_load((ALERTS.parent / "prometheus.yml").read_text())
    assert prometheus["global"]["scrape_interval"] == f"{SCRAPE_S:.0f}s"
    assert prometheus["global"]["evaluation_interval"] == f"{SCRAPE_S:.0f}s"
    seen_s = HOLDS_AFTER_S[code] + CONDITIONS[code].persists_s + 2 * SCRAPE_S
    assert seen_s <= MINUTE_S
    assert ENDS_AFTER_S.get(code, 0.0) + SCRAPE_S <= MINUTE_S
