"""`python -m metacortex` as a process: what a person at a terminal meets."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTERRUPTED = """\
import runpy, sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "metacortex.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
runpy.run_module("metacortex", run_name="__main__", alter_sys=True)
"""


def test_ctrl_c_while_libraries_load_is_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
