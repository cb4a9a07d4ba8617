"""One read of the read model: by whom, how fresh, and what the answer says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.requests import Request

from metacortex.api import parsing
from metacortex.api.auth import Caller, Role
from metacortex.api.services import Services, allow, services_of
from metacortex.commands.members import person_id
from metacortex.queries.bus import Freshness
from metacortex.queries.watermarks import Shown

USERS = (Role.OWNER, Role.MEMBER)


@dataclass(slots=True)
class Read:
    """Who reads, and which sequence must be visible (`Metacortex-Min-Sequence`)."""

    services: Services
    caller: Caller
    fresh: Freshness
    _shown: Shown | None = None

    @property
    def person_id(self) -> UUID:
        """The caller as a person of their workspace."""
        return person_id(self.caller.workspace_id, self.caller.user_id)

    async def shown(self) -> Shown:
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


def sequence_header(sequence: int) -> dict[str, str]:
    """Return the header that says which sequence an answer shows."""
    return {"Metacortex-Sequence": str(sequence)}
