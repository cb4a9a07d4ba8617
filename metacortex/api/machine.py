"""What the handlers are handed: the door, the lane and the read side of one process."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from metacortex.api.auth import Caller, Role, Verifier, bearer
from metacortex.api.reading import Waits
from metacortex.commands.lane import Lane
from metacortex.commands.members import Members
from metacortex.kernel.errors import Forbidden
from metacortex.queries.bus import Queries
from metacortex.queries.page import ListQuery

KEPT_QUERIES = 2_048  # parsed query strings; a frontend asks the same few again
KEPT_CHARACTERS = 1_000  # longer ones are rare, and would add up


@dataclass(slots=True, kw_only=True)
class Machine:
    """One process's machine; made by the application, found on the request."""

    verifier: Verifier
    lane: Lane
    members: Members
    queries: Queries
    writes: AsyncEngine
    waits: Waits
    body_limit: int
    closing: bool = False
    _queries: OrderedDict[Any, ListQuery] = field(default_factory=OrderedDict)

    def caller(self, request: Request) -> Caller:
        """Return who asks. Raises Unauthenticated."""
        token = bearer(request.headers.get("authorization"))
        return self.verifier.verify(token)

    async def member(self, request: Request) -> Caller:
        """Return who commands, noted as a member. Raises Unauthenticated, Forbidden."""
        caller = allow(self.caller(request), (Role.OWNER, Role.MEMBER))
        await self.members.saw(caller.workspace_id, caller.user_id)
        return caller

    def kept_query(self, key: tuple[UUID, str, str]) -> ListQuery | None:
        """Return the query that this query string meant before."""
        return self._queries.get(key)

    def keep_query(self, key: tuple[UUID, str, str], query: ListQuery) -> None:
        """Remember what a query string means, if it is short."""
        if len(key[2]) > KEPT_CHARACTERS:
            return
        self._queries[key] = query
        if len(self._queries) > KEPT_QUERIES:
            self._queries.popitem(last=False)


def allow(caller: Caller, roles: Sequence[Role]) -> Caller:
    """Return the caller if its role is among them. Raises Forbidden."""
    if caller.role not in roles:
        raise Forbidden("role_required", meta={"roles": [str(role) for role in roles]})
    return caller


def machine_of(request: Request) -> Machine:
    """Return the machine of the process that serves a request."""
    found: Machine = request.app.state.machine
    return found
