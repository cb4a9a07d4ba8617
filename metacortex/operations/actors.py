"""Every actor: its queue, how often it is tried, how long it may take, its arguments.

`project` is a wake-up: best effort, never tried again, since the sweep follows. All
others are jobs, whose runs stand in Postgres before a message is sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import uniform

from metacortex.kernel.errors import Refused
from metacortex.wakeups import ACTOR as PROJECT
from metacortex.wakeups import QUEUE as PROJECTIONS
from metacortex.wakeups import TURN_LIMIT_S

MAINTENANCE = "maintenance"
IMPORTS = "imports"
SECRET = re.compile(r"pass(wor|w)?d|secret|token|api_?key|credential|authorization")

REBUILD = "rebuild_workspace"
VERIFY = "verify_workspace"
RETRY_PROJECTION = "retry_projection"
IMPORT = "import_checklist"
DELETE_OLD = "delete_old"

LONGEST_S = 60.0  # between two attempts


class SecretArgument(Exception):
    """An argument is named like a secret: runs stay readable, so pass its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """What one kind of message makes a worker do.

    `arguments` says of each, by name, what it means. The wait before another attempt
    doubles from `wait_s` up to `longest_wait_s`.
    """

    name: str
    queue: str
    does: str
    arguments: Mapping[str, str]
    max_attempts: int
    time_limit_s: float
    wait_s: float = 1.0
    longest_wait_s: float = LONGEST_S

    def __post_init__(self) -> None:
        if secrets := [it for it in self.arguments if SECRET.search(it.lower())]:
            raise SecretArgument(f"{self.name}: {', '.join(secrets)}")

    def wait(self, attempt: int) -> float:
        """Return the seconds between this attempt and the next: a half of it chance.

        Otherwise what failed together would come back together.
        """
        longest = min(self.wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        return uniform(longest / 2, longest)


_WORKSPACE = {"workspace_id": "whose read tables"}

ACTORS: Mapping[str, Actor] = {
    it.name: it
    for it in (
        Actor(
            name=PROJECT,
            queue=PROJECTIONS,
            does="Projects what is new in some workspaces, for one turn.",
            arguments={"workspaces": "their ids"},
            max_attempts=1,
            time_limit_s=TURN_LIMIT_S,
        ),
        Actor(
            name=REBUILD,
            queue=MAINTENANCE,
            does="Folds the read tables of a workspace again, from its first event.",
            arguments=_WORKSPACE,
            max_attempts=3,
            time_limit_s=3_600.0,  # some 10,000 events a second: 36 million
        ),
        Actor(
            name=VERIFY,
            queue=MAINTENANCE,
            does="Compares the read tables of a workspace with its log; "
            "fails if they differ.",
            arguments=_WORKSPACE,
            max_attempts=1,  # what differs now differs at once again
            time_limit_s=3_600.0,
        ),
        Actor(
            name=RETRY_PROJECTION,
            queue=MAINTENANCE,
            does="Lets a parked workspace go on at the event that stopped it.",
            arguments=_WORKSPACE,
            max_attempts=3,
            time_limit_s=TURN_LIMIT_S,
        ),
        Actor(
            name=IMPORT,
            queue=IMPORTS,
            does="Imports a check list, a hundred commands a transaction.",
            arguments={"import_id": "which of workers.imports"},
            max_attempts=10,  # every attempt goes on where the last one ended
            time_limit_s=3_600.0,
        ),
        Actor(
            name=DELETE_OLD,
            queue=MAINTENANCE,
            does="Deletes runs, processes and imports past their time.",
            arguments={},
            max_attempts=3,
            time_limit_s=600.0,
        ),
    )
}
"""By name."""


def actor_of(name: str) -> Actor:
    """Return an actor to run a job with. Raises Refused for another release's."""
    actor = ACTORS.get(name)
    if actor is None:
        raise Refused("actor_unknown", meta={"actor": name})
    return actor


def wait_of(name: str, attempt: int) -> float:
    """Return the seconds between attempts; the longest for another release's actor."""
    actor = ACTORS.get(name)
    return LONGEST_S if actor is None else actor.wait(attempt)


QUEUES = tuple(dict.fromkeys(it.queue for it in ACTORS.values()))
JOB_QUEUES = tuple(it for it in QUEUES if it != PROJECTIONS)
