"""What a fuzzer finds that reads nothing but the OpenAPI document: nothing.

Every check is on; what is set otherwise stands in schemathesis.toml, with the reason.
"""

import asyncio
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from fastapi import FastAPI

from metacortex.api import feeds
from metacortex.api.app import local_issuer
from metacortex.api.auth import Role
from metacortex.api.ops import broadcaster
from metacortex.api.parsing import Waits
from metacortex.settings import Settings
from tests.conftest import ROOT
from tests.http.conftest import Live
from tests.untraced import untraced

HERE = Path(__file__).parent
ZONES = ["America/New_York", "Asia/Kathmandu", "UTC"]
BRIEF_S = 0.05  # of a stream, whose end the tool waits for, and of a vain wait
TIME_S = 600  # a run takes a tenth of it; what takes this long has hung


def document(app: FastAPI, folder: Path) -> None:
    """Write the document as the tool shall read it: with names of time zones.

    No schema can say that a string is the name of one.
    """
    found = deepcopy(app.openapi())
    assert _name_zones(found) > 1
    (folder / "openapi.json").write_bytes(orjson.dumps(found))


def _name_zones(schema: Any) -> int:
    """Give every schema of a time zone its values; return how many there were."""
    if isinstance(schema, list):
        return sum(map(_name_zones, schema))
    if not isinstance(schema, dict):
        return 0
    named = 0
    zone = schema.get("properties", {}).get("time_zone")
    if schema.get("name") == "time_zone":
        zone = schema["schema"]
    if zone is not None and "description" in {**zone, **schema}:
        zone.pop("type", None)
        zone.pop("anyOf", None)
        zone["enum"] = [*ZONES, None] if schema.get("properties") else ZONES
        named = 1
    return named + sum(map(_name_zones, schema.values()))


@pytest.mark.parametrize(
    ("phases", "role", "paths"),
    [
        ("coverage", None, "^/(?!ops/)"),
        ("examples,fuzzing,stateful", None, "^/(?!ops/)"),
        ("coverage,examples,fuzzing", Role.OPERATOR, "^/ops/"),
    ],
)
async def test_the_service_keeps_what_its_document_says(
    live: Live,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    phases: str,
    role: Role | None,
    paths: str,
) -> None:
    monkeypatch.setattr(feeds, "LIFETIME_S", BRIEF_S)
    monkeypatch.setattr(broadcaster, "LIFETIME_S", BRIEF_S)
    app = cast(FastAPI, live.server.config.app)
    monkeypatch.setattr(app.state.services, "waits", Waits(BRIEF_S, BRIEF_S))
    token = local_issuer(settings).token("fuzzer", role=role)
    document(app, tmp_path)
    report = tmp_path / "report.txt"
    with report.open("w") as out:
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(HERE / "schemathesis.toml")),
            *("run", "openapi.json", "--url", f"{live.url}/api/v1"),
            *("--phases", phases, "--include-path-regex", paths),
            env={
                **untraced(),  # the service, in this process, is traced
                "API_TOKEN": token,
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.http.hooks",
            },
            cwd=tmp_path,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(TIME_S):
            code = await run.wait()
    assert code == 0, report.read_text()
