"""Child processes: they end with their parent, however that ends.

By prctl(2), PR_SET_PDEATHSIG, which only Linux has.
"""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals) -> None:
    """Ask the kernel to signal this process when the thread that forked it ends.

    For `preexec_fn`. Survives the exec and the new user namespace; does nothing
    outside Linux.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
