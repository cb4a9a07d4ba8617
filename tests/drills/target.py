"""What attacks are sent to: a server, an attacker's token, and how much of all."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from tests.http.raw import Wire

BATCH = 100  # commands of a request


@dataclass(frozen=True)
class Scale:
    """How large attacks are: of the whole drill, or of its short form."""

    tree: int
    items: int
    batches: int
    connections: int
    seconds: float


FULL = Scale(tree=5_000, items=480_000, batches=40, connections=900, seconds=12)
SHORT = Scale(tree=300, items=30_000, batches=6, connections=100, seconds=1)


@dataclass(frozen=True)
class Target:
    """A server as one attacker sees it."""

    http: httpx2.AsyncClient
    base_url: str
    token: str
    scale: Scale

    async def send(
        self, method: str, path: str, json: Any = None, **more: Any
    ) -> httpx2.Response:
        """Send a request below /api/v1."""
        if json is not None:
            more["json"] = json
        return await self.http.request(method, "/api/v1" + path, **more)

    async def commands(
        self, commands: Sequence[dict[str, Any]], **more: Any
    ) -> httpx2.Response:
        """Send a batch; commands without an id get one."""
        named = [{"id": str(uuid4()), **it} for it in commands]
        path = "/commands" + more.pop("query", "")
        return await self.send("POST", path, {"commands": named, **more})

    async def tree(self, below: int) -> str:
        """Make a task with this many subtasks; return its id."""
        made = await self.send("POST", "/tasks", {"title": "Move house"})
        root: str = made.json()["data"]["id"]
        for start in range(0, below, BATCH):
            boxes = range(start, min(start + BATCH, below))
            args = [{"title": f"Box {box}", "parent_id": root} for box in boxes]
            done = await self.commands(
                [{"type": "task.create", "args": a} for a in args]
            )
            assert done.status_code == 200, done.text
        return root

    async def raw(self, *parts: bytes) -> str:
        """Send bytes over a connection of their own; return status and code."""

        def sent() -> str:
            with Wire(self.base_url) as wire:
                try:
                    for part in parts:
                        wire.send_bytes(part)
                except OSError:
                    pass  # the server has answered already, and hung up
                answer = wire.answer()
            code = f" {answer.code}" if answer.status >= 400 else ""
            return f"{answer.status}{code}"

        return await asyncio.to_thread(sent)

    @property
    def authorization(self) -> bytes:
        """The line of a head that holds the attacker's token."""
        return f"Authorization: Bearer {self.token}\r\n".encode()


def told(response: httpx2.Response) -> str:
    """Return the status of an answer, and the code of its first error."""
    if response.status_code < 400:
        return str(response.status_code)
    return f"{response.status_code} {response.json()['errors'][0]['code']}"


async def counted(answers: Sequence[Awaitable[str]]) -> str:
    """Return how often each answer came, all asked for at once."""
    found = Counter(await asyncio.gather(*answers))
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{number} × {answer}" for answer, number in sorted(found.items()))
