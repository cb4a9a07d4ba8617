"""Workers and schedulers serve their own metrics, where a port is set."""

import asyncio
import subprocess
import sys
import time

import httpx2
import pytest

from metacortex.settings import Settings
from tests.conftest import ROOT
from tests.integration.installation import _free_port
from tests.untraced import untraced

START_S = 60.0  # only there to end a hang


@pytest.mark.parametrize(
    ("part", "metric"),
    [
        ("worker", "metacortex_projector_batch_events_bucket"),
        ("scheduler", "metacortex_wakeups_failed_total"),
    ],
)
async def test_a_process_serves_its_metrics(
    settings: Settings, part: str, metric: str
) -> None:
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "metacortex", part],
        cwd=ROOT,
        env={
            **untraced(),
            "ENVIRONMENT": "test",
            "DATABASE_URL": settings.database_url,
            "DATABASE_PROJECTOR_URL": settings.projector_url,
            "REDIS_URL": settings.redis_url,
            "METACORTEX_DATA_DIR": str(settings.data_dir),
            "METACORTEX_METRICS_PORT": str(port),
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        text = await scraped(port)
        assert metric in text and "metacortex_condition{" not in text
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, START_S) == 0


async def scraped(port: int) -> str:
    """Return the metrics once they are served."""
    until = time.monotonic() + START_S
    async with httpx2.AsyncClient() as http:
        while True:
            try:
                return (await http.get(f"http://127.0.0.1:{port}/metrics")).text
            except httpx2.TransportError:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
