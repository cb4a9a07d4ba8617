"""`run_up` as a program of its own, over the stand-in for the real commands."""

import asyncio
import os
import sys
from pathlib import Path

from metacortex.devtools.supervisor import run_up
from metacortex.devtools.supervisor.parts import Backoff
from metacortex.settings import load_settings

FAKE = str(Path(__file__).with_name("fake.py"))


def main() -> int:
    grace_s = float(os.environ.get("FAKE_GRACE_S", "5"))
    settings = load_settings(shutdown_grace_s=grace_s)
    return asyncio.run(
        run_up(
            settings,
            command=(sys.executable, "-S", FAKE),  # -S: starts three times as fast
            backoff=Backoff(first_s=0.1, limit_s=0.4),
            ready_timeout_s=60,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
