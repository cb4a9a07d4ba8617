"""What handlers work with: the token verifier, the lane and the read side."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from metacortex.api.auth import Caller, Role, Verifier, bearer
from metacortex.api.ops.service import Operations
from metacortex.api.parsing import Waits
from metacortex.commands.lane import Lane
from metacortex.commands.members import Members
from metacortex.kernel.errors import Forbidden
from metacortex.operations.acts import Acts
from metacortex.queries.bus import Queries
from metacortex.queries.page import ListQuery

PARSED_QUERIES = 2_048  # parsed query strings; a frontend asks the same few again
QUERY_CHARACTERS = 1_000  # longer query strings are rare, and would add up


@dataclass(slots=True, kw_only=True)
class Services:
    """The services of one process; made at start, found through the request."""

    verifier: Verifier
    lane: Lane
    members: Members
    queries: Queries
    writes: AsyncEngine
    acts: Acts
    redis: Redis
    operations: Operations
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

    def parsed_query(self, key: tuple[UUID, str, str]) -> ListQuery | None:
        """Return the query that this query string meant before."""
        return self._queries.get(key)

    def remember_query(self, key: tuple[UUID, str, str], query: ListQuery) -> None:
        """Remember what a query string means, if it is short."""
        if len(key[2]) > QUERY_CHARACTERS:
            return
        self._queries[key] = query
        if len(self._queries) > PARSED_QUERIES:
            self._queries.popitem(last=False)


def allow(caller: Caller, roles: Sequence[Role]) -> Caller:
    """Return the caller if its role is among them. Raises Forbidden."""
    if caller.role not in roles:
        raise Forbidden("role_required", meta={"roles": [str(role) for role in roles]})
    return caller


def services_of(request: Request) -> Services:
    """Return the services of the process that serves a request."""
    found: Services = request.app.state.services
    return found
