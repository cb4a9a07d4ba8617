"""What `metacortex up` runs: everything on one machine, in the foreground."""

from metacortex.devtools.supervisor.up import run_up

__all__ = ["run_up"]
