"""What a fuzzer finds that reads nothing but the OpenAPI document: nothing.

Every check is on; what is set otherwise stands in schemathesis.toml, with the reason.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metacortex.api.app import local_issuer
from metacortex.settings import Settings
from tests.http.conftest import Live

HERE = Path(__file__).parent
TIME_S = 300  # a run takes a quarter of it; what takes this long has hung


@pytest.fixture
def run_environ(settings: Settings) -> dict[str, str]:
    """The environment of the tool: a token of somebody with an empty workspace."""
    return {**os.environ, "API_TOKEN": local_issuer(settings).token("fuzzer")}


def test_the_service_keeps_what_its_document_says(
    live: Live, run_environ: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{live.url}/api/v1/openapi.json"),
        ],
        env=run_environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIME_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
