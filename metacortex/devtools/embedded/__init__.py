"""Private Postgres and Redis servers for development and tests.

They listen on Unix sockets in a folder that only its owner can enter, so that nothing
else on the machine reaches them; trust authentication rests on that.
"""

from metacortex.devtools.embedded.databases import (
    create_database,
    with_parts,
)
from metacortex.devtools.embedded.postgres import (
    OtherMajor,
    find_postgres,
    launch_postgres,
    start_postgres,
)
from metacortex.devtools.embedded.redis import find_redis, launch_redis, start_redis
from metacortex.devtools.embedded.server import (
    AlreadyRunning,
    EmbeddedError,
    Lock,
    MissingBinary,
    Server,
    StartFailed,
    hold,
)

__all__ = [
    "AlreadyRunning",
    "EmbeddedError",
    "Lock",
    "MissingBinary",
    "OtherMajor",
    "Server",
    "StartFailed",
    "create_database",
    "find_postgres",
    "find_redis",
    "hold",
    "launch_postgres",
    "launch_redis",
    "start_postgres",
    "start_redis",
    "with_parts",
]
