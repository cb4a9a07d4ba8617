"""What clients may look up about the service itself: error codes, state machines."""

from functools import lru_cache

import orjson
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope
from metacortex.api.errors import catalogue
from metacortex.api.routes import refuse_parameters
from metacortex.commands.tasks import TRANSITIONS


async def errors(request: Request) -> Response:
    """Return every error code with its status and meaning."""
    refuse_parameters(request)
    return envelope.answer(request, orjson.dumps(catalogue()))


async def state_machines(request: Request) -> Response:
    """Return the table of state and command, as the rules use it."""
    refuse_parameters(request)
    return envelope.answer(request, machines())


@lru_cache
def machines() -> bytes:
    states = list(TRANSITIONS["reopen"])
    commands = {name: dict(table) for name, table in TRANSITIONS.items()}
    return orjson.dumps({"task": {"states": states, "transitions": commands}})
