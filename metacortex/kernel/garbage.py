"""How often a process that stays looks for garbage."""

import gc

THRESHOLD = 20_000  # objects; the default of 700 looks through a batch many times


def calm() -> None:
    """Collect garbage less often: its pauses were most of a slow request's time."""
    gc.freeze()  # what start-up made is never garbage: do not look through it again
    gc.set_threshold(THRESHOLD)
