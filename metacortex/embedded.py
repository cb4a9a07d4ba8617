"""The short import path of `metacortex.devtools.embedded`."""

from metacortex.devtools.embedded import *  # noqa: F401, F403
