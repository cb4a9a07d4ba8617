"""Variables for processes in which no lines are counted."""

import os


def untraced() -> dict[str, str]:
    """Return our environment without the trace of coverage.

    It makes Python some three times as slow. For processes whose lines others cover.
    """
    return {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
