"""What ordinary endpoints depend on: the caller, the services, how fresh to answer."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Security
from fastapi.security import HTTPBearer
from starlette.requests import Request

from metacortex.api.auth import Caller, Role
from metacortex.api.services import Read, Services, allow, begin_read, services_of

SCHEME = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="bearer")


async def get_services(request: Request) -> Services:
    """Return the services of this process."""
    return services_of(request)


async def get_caller(
    request: Request, _: Annotated[Any, Security(SCHEME)] = None
) -> Caller:
    """Return who asks. Raises Unauthenticated."""
    return services_of(request).caller(request)


get_caller.is_authentication = True  # type: ignore[attr-defined]
"""Routing looks for this mark, to authenticate before a body is parsed."""

CurrentServices = Annotated[Services, Depends(get_services)]
CurrentCaller = Annotated[Caller, Depends(get_caller)]


def requires(*roles: Role) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that lets in these roles. Raises Forbidden."""

    async def check(caller: CurrentCaller) -> Caller:
        return allow(caller, roles)

    return check


async def get_read(
    request: Request,
    caller: CurrentCaller,
    min_sequence: Annotated[str | None, Header(alias="Metacortex-Min-Sequence")] = None,
    prefer: Annotated[str | None, Header(alias="Prefer")] = None,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> Read:
    """Return the read that the headers describe; `wait` it before answering."""
    return begin_read(request, caller)


CurrentRead = Annotated[Read, Depends(get_read)]
