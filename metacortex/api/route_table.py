"""Look-up of lean routes by method and path, in front of FastAPI's router."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from fastapi.routing import RouteContext
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]

_ID = re.compile("(?<=/)[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(?=/|$)")


@dataclass(frozen=True, slots=True)
class LeanEndpoint:
    """A handler, and the path template under which it is counted."""

    template: str
    handler: Handler


class RouteTable:
    """Lean endpoints by method and path template; a template has one id at most.

    What is not found here goes to FastAPI's router, which knows these routes as well.
    """

    def __init__(self, contexts: Iterable[RouteContext]) -> None:
        """Take the routes that are lean."""
        self._plain: dict[tuple[str, str], LeanEndpoint] = {}
        self._with_id: dict[tuple[str, str], LeanEndpoint] = {}
        for context in contexts:
            template = context.path_format or ""
            found = self._with_id if "{" in template else self._plain
            handler: Handler = context.original_route.lean  # type: ignore[attr-defined]
            endpoint = LeanEndpoint(template, handler)
            for method in context.methods or ():
                found[method, template] = endpoint
                if method == "GET":
                    found["HEAD", template] = endpoint

    def find(self, method: str, path: str) -> tuple[LeanEndpoint | None, UUID | None]:
        """Return the endpoint of a request, and the id in its path."""
        if (endpoint := self._plain.get((method, path))) is not None:
            return endpoint, None
        if (match := _ID.search(path)) is None:
            return None, None
        template = f"{path[: match.start()]}{{id}}{path[match.end() :]}"
        if (endpoint := self._with_id.get((method, template))) is None:
            return None, None
        return endpoint, UUID(match[0])
