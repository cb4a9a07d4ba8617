"""Tuning of the cyclic garbage collector for long-running processes."""

import gc

THRESHOLD = 20_000  # objects; the default of 700 collects many times per batch


def tune_gc() -> None:
    """Collect less often: collector pauses were most of the time of slow requests."""
    gc.freeze()  # what start-up made lives as long as the process
    gc.set_threshold(THRESHOLD)
