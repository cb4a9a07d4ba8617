"""What `docs/monitoring/` names is what the processes expose."""

import json
import re
import shutil
import subprocess
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client import REGISTRY

import metacortex.workers  # noqa: F401  # registers what a worker exposes
from tests.clients import Client
from tests.conftest import ROOT

FOLDER = ROOT / "docs/monitoring"
NAME = re.compile(r"\bmetacortex_[a-z0-9_]+")


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    board = json.loads((FOLDER / "dashboard.json").read_text())
    panels = [it["expr"] for panel in board["panels"] for it in panel["targets"]]
    return [*panels, *(rule["expr"] for rule in rules())]


async def test_every_metric_that_is_named_exists(
    client: Client, http: httpx2.AsyncClient
) -> None:
    await client.task()
    await http.get("/metrics")
    exposed = {
        name
        for metric in REGISTRY.collect()
        for name in (metric.name, *(sample.name for sample in metric.samples))
    }
    exposed |= {f"{name}_total" for name in exposed} | {
        f"{name}_bucket" for name in exposed
    }
    named = {name for it in expressions() for name in NAME.findall(it)}
    assert named - exposed == set()
    text = (await http.get("/metrics")).text
    of_workers = {"metacortex_runs_total", "metacortex_projector_batch_events_bucket"}
    for name in named - of_workers:
        assert re.search(rf"^{name}[{{ ]", text, re.MULTILINE) or name in (
            "metacortex_schedule_last_run_timestamp_seconds",
            "metacortex_wakeups_failed_total",
        ), name


def test_no_label_holds_an_id() -> None:
    known = {"method", "route", "status", "code", "severity", "kind", "state", "queue"}
    known |= {"schedule", "pool", "type", "outcome", "actor", "le", "generation"}
    known |= {"quota"}
    known |= {"implementation", "major", "minor", "patchlevel", "version"}
    found = {
        label
        for metric in REGISTRY.collect()
        for sample in metric.samples
        for label in sample.labels
    }
    assert found <= known


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_is_complete(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in ("degraded", "failing")
    assert set(rule["annotations"]) == {"summary", "runbook_url"}
    assert rule["expr"].count("(") == rule["expr"].count(")")
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (.*)$", (ROOT / file).read_text(), re.MULTILINE)
    anchors = [re.sub(r"[^a-z0-9 -]", "", it.lower()) for it in headings]
    assert anchor in [it.replace(" ", "-") for it in anchors]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    board = json.loads((FOLDER / "dashboard.json").read_text())
    places = [
        (panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]
    ]
    assert len(places) == len(set(places))
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "what", [("rules", "alerts.yaml"), ("config", "prometheus.yml")]
)
def test_prometheus_takes_them(what: tuple[str, str]) -> None:
    assert PROMTOOL is not None
    kind, file = what
    command = [PROMTOOL, "check", kind, str(FOLDER / file)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert found.returncode == 0, found.stdout + found.stderr
