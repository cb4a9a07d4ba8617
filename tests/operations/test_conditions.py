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
