"""What clients may look up about the service itself: error codes, state machines."""

from typing import Any

from metacortex import __version__
from metacortex.api.errors import Schema, catalogue
from metacortex.api.routing import Router
from metacortex.api.schemas import Envelope, ErrorCode, StateMachines
from metacortex.commands.tasks import TRANSITIONS

router = Router(tags=["meta"])


class Entry(Schema):
    """Where to go from here."""

    version: str
    openapi: str
    docs: str


@router.get("", include_in_schema=False)
async def get_entry() -> Entry:
    return Entry(version=__version__, openapi="/api/v1/openapi.json", docs="/docs")


@router.get(
    "/meta/errors",
    operation_id="listErrors",
    summary="Every error code",
    response_model=Envelope[list[ErrorCode]],
)
async def list_errors() -> Any:
    """Codes are stable; `http_error` may come with any status."""
    return catalogue()


@router.get(
    "/meta/state-machines",
    operation_id="listStateMachines",
    summary="Which command each state takes",
    response_model=Envelope[StateMachines],
)
async def list_state_machines() -> Any:
    """The table that the rules use; null where a command is refused."""
    return state_machines()


def state_machines() -> dict[str, Any]:
    """Return the table of command and state that the rules use."""
    commands = {name: dict(table) for name, table in TRANSITIONS.items()}
    return {"task": {"states": list(TRANSITIONS["reopen"]), "transitions": commands}}
