"""People at the API who each create tasks and send again whatever was not answered.

Every now and then one sends again what was answered: same key, same answer.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.app import local_issuer
from metacortex.api.auth import workspace_of
from tests.integration import laws
from tests.integration.installation import Installation

PEOPLE = 64
SPACES = 4  # workspaces that the people share, so that they meet
PAUSE_S = 0.1  # between two commands of a person: some hundred commands a second
RETRY_S = 0.1
REPEATS = 5  # of a person's commands, each fifth is sent once more
PATIENCE = 300  # tries, half a minute: longer than any outage of these tests


@dataclass
class Load:
    """What was sent, and how it was answered."""

    installation: Installation
    http: httpx2.AsyncClient
    tokens: dict[UUID, str]
    acknowledged: dict[str, UUID] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    repeated: int = 0
    _over: bool = False

    @classmethod
    def of(cls, installation: Installation) -> "Load":
        """Return people in fresh workspaces of an installation."""
        issuer = local_issuer(installation.settings)
        names = [f"p{uuid4().hex[:12]}" for _ in range(SPACES)]
        tokens = {workspace_of(f"user_{it}"): issuer.token(it) for it in names}
        http = httpx2.AsyncClient(base_url=installation.base_url, timeout=5)
        return cls(installation, http, tokens)

    async def during(self, trouble: Callable[[], Awaitable[None]]) -> None:
        """Keep everybody busy while there is trouble, until all is acknowledged."""
        async with self.http, asyncio.TaskGroup() as people:
            for number in range(PEOPLE):
                people.create_task(self._person(number))
            try:
                await trouble()
            finally:
                self._over = True

    async def _person(self, number: int) -> None:
        workspace = list(self.tokens)[number % len(self.tokens)]
        await asyncio.sleep(PAUSE_S * number / PEOPLE)
        sent = number  # so that not everybody repeats at once
        while not self._over:
            key, sent = str(uuid4()), sent + 1
            reached = await self._create(workspace, key)
            self.acknowledged[key] = workspace
            if sent % REPEATS == 0:
                assert await self._create(workspace, key) == reached
                self.repeated += 1
            await asyncio.sleep(PAUSE_S)

    async def _create(self, workspace: UUID, key: str) -> int:
        """Send one command until it is acknowledged; return the sequence it reached."""
        headers = {
            "Authorization": f"Bearer {self.tokens[workspace]}",
            "Idempotency-Key": key,
        }
        for _ in range(PATIENCE):
            try:
                answer = await self.http.post(
                    "/api/v1/tasks", json={"title": key}, headers=headers
                )
            except httpx2.TransportError:
                self.broken += 1
                await asyncio.sleep(RETRY_S)
                continue
            self.answers[answer.status_code] += 1
            if answer.status_code in (200, 201):
                return int(answer.headers["Metacortex-Sequence"])
            await asyncio.sleep(RETRY_S)
        raise AssertionError(f"never acknowledged; answers were {self.answers}")

    async def check(self, database: AsyncEngine) -> None:
        """Assert that what was acknowledged is there, once, and all laws hold."""
        sql = text("SELECT title FROM commands.tasks WHERE workspace_id = :w")
        for workspace in self.tokens:
            async with database.connect() as connection:
                titles = list(await connection.scalars(sql, {"w": workspace}))
            sent = [key for key, at in self.acknowledged.items() if at == workspace]
            assert Counter(titles) == Counter(sent)
            assert await laws.check(database, workspace) == len(sent)
        assert self.repeated
