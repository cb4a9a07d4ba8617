"""Tokens of the development issuer for pages of this server; absent in production."""

import time
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from metacortex.api.auth import Role, Verifier
from metacortex.api.errors import Schema
from metacortex.api.fields import Body
from metacortex.api.issuer import TTL_S, LocalIssuer
from metacortex.api.routing import Router
from metacortex.kernel.errors import Forbidden, Invalid

NAME = r"^[A-Za-z0-9_-]{1,64}$"


class TokenBody(Body):
    """Who to be."""

    user: Annotated[str, Field(pattern=NAME)]
    workspace: Annotated[str, Field(pattern=NAME)] | None = None
    role: Role | None = None
    ttl_s: Annotated[int, Field(ge=1, le=TTL_S)] = TTL_S


class Token(Schema):
    """A bearer token; `expires_at` in seconds since 1970."""

    token: str
    expires_at: int
    user_id: str
    workspace_id: str
    role: Role


def token_router(issuer: LocalIssuer, verifier: Verifier) -> Router:
    """Return `POST /dev/token`, which answers pages of the same origin."""
    router = Router(include_in_schema=False)

    @router.post("/dev/token", status_code=201)
    async def create_token(request: Request, body: TokenBody) -> Token:
        _check_origin(request)
        try:
            token = issuer.token(body.user, body.workspace, body.role, ttl_s=body.ttl_s)
        except ValueError as error:
            source = {"pointer": "/role"}
            raise Invalid("invalid_field", str(error), source=source) from error
        caller = verifier.verify(token)
        return Token(
            token=token,
            expires_at=int(time.time()) + body.ttl_s,
            user_id=caller.user_id,
            workspace_id=str(caller.workspace_id),
            role=caller.role,
        )

    return router


def _check_origin(request: Request) -> None:
    """Refuse pages of other origins. Raises Forbidden."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin not in (None, own) or site not in ("same-origin", "none"):
        raise Forbidden("same_origin_required")
