"""What handlers work with: token verifier, lane and read side, and one read of it."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import parsing
from metacortex.api.auth import Caller, Role, Verifier, bearer
from metacortex.api.ops.service import Operations
from metacortex.api.parsing import Waits
from metacortex.api.rates import (
    COMMANDS,
    COSTS,
    EXPORTS,
    QUERIES,
    SEARCHES,
    STREAMS,
    Rates,
)
from metacortex.api.streams import Streams
from metacortex.commands.lane import Lane
from metacortex.commands.members import Members, person_id
from metacortex.kernel.errors import Forbidden, Unauthenticated
from metacortex.operations.operator_actions import OperatorActions
from metacortex.queries.bus import Freshness, Queries
from metacortex.queries.page import ListQuery
from metacortex.queries.watermarks import Watermark

Handler = Callable[[Request], Awaitable[Response]]
USERS = (Role.OWNER, Role.MEMBER)
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
    operator_actions: OperatorActions
    redis: Redis
    operations: Operations
    waits: Waits
    body_limit: int
    rates: Rates | None = None
    """None where rates are not limited."""
    streams: Streams
    production: bool = False
    """Whether metrics and the document are for those who may see them."""
    closing: bool = False
    _queries: OrderedDict[Any, ListQuery] = field(default_factory=OrderedDict)

    def caller(self, request: Request) -> Caller:
        """Return who asks. Raises Unauthenticated, RateLimited.

        Found once for a request, and counted once.
        """
        about = request.scope["metacortex"]
        caller: Caller | None = about.get("caller")
        if caller is None:
            caller = about["caller"] = self._authenticated(request)
            if self.rates is not None:
                quota = quota_of(request)
                about["window"] = window = self.rates.window(quota, caller.user_id)
                window.take(COSTS.get(quota, 1), self.rates.clock())
        return caller

    def _authenticated(self, request: Request) -> Caller:
        """Return who asks; a bad token counts against the address that it came from.

        A good one passes whatever others have sent from there.
        """
        try:
            return self.verifier.verify(bearer(request.headers.get("authorization")))
        except Unauthenticated:
            if self.rates is not None:
                self.rates.failed(request.scope["metacortex"]["ip"])
            raise

    async def member(self, request: Request) -> Caller:
        """Return who commands, noted as a member. Raises Unauthenticated, Forbidden."""
        caller = allow(self.caller(request), (Role.OWNER, Role.MEMBER))
        await self.saw(caller)
        return caller

    async def saw(self, caller: Caller) -> None:
        """Note a caller as a member of their workspace."""
        await self.members.saw(caller.workspace_id, caller.user_id, caller.role)

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


def quota_of(request: Request) -> str:
    """Return the name of the quota that a request counts against."""
    scope = request.scope
    if scope["method"] not in ("GET", "HEAD"):
        return COMMANDS
    query: bytes = scope["query_string"]
    if query and (query.startswith(b"q=") or b"&q=" in query):
        return SEARCHES
    path: str = scope["path"]
    if path.endswith("/stream"):
        return STREAMS
    return EXPORTS if path.endswith("/export") else QUERIES


def note_work(request: Request, commands: int, events: int) -> None:
    """Note what commands have done: for the log, and for the quota of commands.

    A request of commands counts one before it runs; here the rest is added: as many
    as it appended events, or had commands, if these are more.
    """
    about = request.scope["metacortex"]
    about["commands"], about["events"] = commands, events
    units = max(commands, events)
    if units > 1 and (window := about.get("window")) is not None:
        window.add(units - 1)


def allow(caller: Caller, roles: Sequence[Role]) -> Caller:
    """Return the caller if its role is among them. Raises Forbidden."""
    if caller.role not in roles:
        raise Forbidden("role_required", meta={"roles": [str(role) for role in roles]})
    return caller


def services_of(request: Request) -> Services:
    """Return the services of the process that serves a request."""
    found: Services = request.app.state.services
    return found


@dataclass(slots=True)
class Read:
    """Who reads, and which sequence must be visible (`Metacortex-Min-Sequence`)."""

    services: Services
    caller: Caller
    fresh: Freshness
    _shown: Watermark | None = None

    @property
    def person_id(self) -> UUID:
        """The caller as a person of their workspace."""
        return person_id(self.caller.workspace_id, self.caller.user_id)

    async def shown(self) -> Watermark:
        """Return what is visible, after waiting for it if asked to. Raises Lagging.

        One read sees one state: it is asked for once.
        """
        if self._shown is None:
            self._shown = await self.services.queries.shown(
                self.caller.workspace_id, self.fresh
            )
        return self._shown

    async def time_zone(self) -> str:
        """Return the caller's time zone, UTC if they named none. Raises Lagging."""
        return await self.services.queries.zones.find(
            self.caller.workspace_id, self.person_id, await self.shown()
        )

    async def wait(self) -> None:
        """Wait for the sequence that was asked for, if any. Raises Lagging."""
        if self.fresh.sequence:
            await self.shown()

    def meta(self, sequence: int, **more: Any) -> dict[str, Any]:
        """Return the `meta` of an answer; `stale` if it shows less than was asked."""
        found = {"sequence": sequence, **more}
        if sequence < self.fresh.sequence:
            found["stale"] = True
        return found


def begin_read(request: Request, caller: Caller) -> Read:
    """Return the read that a request's headers describe. Raises Malformed."""
    services = services_of(request)
    return Read(services, caller, parsing.freshness(request, services.waits))


def read_of(request: Request, roles: Sequence[Role] = USERS) -> Read:
    """Return the read of a lean handler; raises what parsing and roles raise."""
    caller = allow(services_of(request).caller(request), roles)
    return begin_read(request, caller)
