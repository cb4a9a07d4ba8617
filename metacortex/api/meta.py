"""What clients may look up about the service itself: error codes, state machines."""

from typing import Any

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
    return catalogue()


@router.get(
    "/meta/state-machines",
    operation_id="listStateMachines",
    summary="Which command each state takes",
    response_model=Envelope[StateMachines],
)
async def list_state_machines() -> Any:
    return state_machines()


FEATURES = (
    "activity",
    "as_of",
    "audit",
    "batches",
    "members",
    "search_prefix",
    "stream",
    "undo",
)
"""What clients may build on, by name; nothing is ever taken out of a version."""


def client_router(
    environment: str, clerk_publishable_key: str | None, *, development: bool
) -> Router:
    """Return the route that tells a client how to sign in."""
    router = Router(tags=["meta"])
    issuer = "development" if development else "other"
    about = {
        "version": __version__,
        "issuer": issuer if clerk_publishable_key is None else "clerk",
        "clerk_publishable_key": clerk_publishable_key,
        "environment": environment,
        "features": list(FEATURES),
    }

    @router.get(
        "/meta/client",
        operation_id="getClientMeta",
        summary="How a client signs in, and what it may build on",
        response_model=Envelope[ClientMeta],
    )
    async def get_client_meta() -> Any:
        return about

    return router


def state_machines() -> dict[str, Any]:
    """Return the table of command and state that the rules use."""
    commands = {name: dict(table) for name, table in TRANSITIONS.items()}
    return {"task": {"states": list(TRANSITIONS["reopen"]), "transitions": commands}}
