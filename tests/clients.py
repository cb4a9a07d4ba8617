"""A person at the API: a token, a workspace, and what they say most."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import httpx2

from metacortex.api.auth import Role
from metacortex.api.issuer import LocalIssuer
from tests.documented import check_documented

BASE = "/api/v1"


@dataclass(frozen=True)
class Client:
    """Somebody with a token; `user` is the name that it was made for."""

    http: httpx2.AsyncClient
    issuer: LocalIssuer
    user: str
    token: str

    @classmethod
    def new(
        cls,
        http: httpx2.AsyncClient,
        issuer: LocalIssuer,
        user: str | None = None,
        workspace: str | None = None,
        role: Role | None = None,
    ) -> Self:
        """Return a person with a fresh token, a stranger unless named."""
        name = user or f"u{uuid4().hex[:16]}"
        return cls(http, issuer, name, issuer.token(name, workspace, role))

    def like(self, **changes: Any) -> "Client":
        """Return another person of the same installation."""
        return Client.new(self.http, self.issuer, **changes)

    async def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """Send a request below /api/v1, and return whatever comes back."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if json is not None:
            more["json"] = json
        response = await self.http.request(method, BASE + path, headers=sent, **more)
        check_documented(method, path, response)
        return response

    async def get(
        self, path: str, at_least: int | None = None, **params: Any
    ) -> dict[str, Any]:
        """Return the envelope of a query that must succeed."""
        headers = {}
        if at_least is not None:
            headers["Metacortex-Min-Sequence"] = str(at_least)
            headers["Prefer"] = "wait=10"  # a busy machine may take its time
        response = await self.send("GET", path, headers=headers, params=params)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def do(
        self, method: str, path: str, json: Any = None, **headers: str
    ) -> dict[str, Any]:
        """Return the envelope of a command that must succeed."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.send(method, path, json, named)
        assert response.status_code in (200, 201, 202), response.text
        found: dict[str, Any] = response.json()
        return found

    async def task(self, title: str = "Buy milk", **fields: Any) -> dict[str, Any]:
        """Create a task and return it."""
        found = await self.do("POST", "/tasks", {"title": title, **fields})
        data: dict[str, Any] = found["data"]
        return data
