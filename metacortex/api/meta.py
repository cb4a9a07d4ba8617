"""What clients may look up about the service itself: error codes, state machines."""

from typing import Any

from starlette.requests import Request

from metacortex import __version__
from metacortex.api.errors import Schema, catalogue
from metacortex.api.routing import Router
from metacortex.api.schemas import ClientMeta, Envelope, ErrorCode, StateMachines
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


FEATURES = (
    "activity",
    "as_of",
    "audit",
    "batches",
    "me",
    "members",
    "search_prefix",
    "stream",
    "undo",
)
"""What clients may build on, by name; nothing is ever taken out of a version."""


def about(
    environment: str, clerk_publishable_key: str | None, *, development: bool
) -> dict[str, Any]:
    """Return what a client must know before anybody has signed in."""
    issuer = "development" if development else "other"
    return {
        "version": __version__,
        "issuer": issuer if clerk_publishable_key is None else "clerk",
        "clerk_publishable_key": clerk_publishable_key,
        "environment": environment,
        "features": list(FEATURES),
    }


@router.get(
    "/meta/client",
    operation_id="getClientMeta",
    summary="How a client signs in",
    response_model=Envelope[ClientMeta],
)
async def get_client_meta(request: Request) -> Any:
    """Which sign-in the service expects, and by name what a client may build on."""
    return request.app.state.client


def state_machines() -> dict[str, Any]:
    """Return the table of command and state that the rules use."""
    commands = {name: dict(table) for name, table in TRANSITIONS.items()}
    return {"task": {"states": list(TRANSITIONS["reopen"]), "transitions": commands}}
