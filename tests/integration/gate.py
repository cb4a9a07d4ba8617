"""A gate before the commit of a workspace's events, and a line that may go dead.

Together they stop the machine where chance rarely does: everything written and not
committed, or not committed at first, or committed and nobody told.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

POLL_S = 0.01
PATIENCE = 6_000  # looks, a minute of them: only there to end a hang

_WAITING = text(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND classid = 0 AND objid = CAST(:key AS oid) AND pid <> ALL (:known)"
)


class Gate:
    """Commits of a workspace's events wait at it while it is shut."""

    def __init__(self, owner: AsyncEngine, workspace: UUID) -> None:
        self._owner = owner
        self._workspace = workspace
        self._key = workspace.int % 2**31

    @asynccontextmanager
    async def shut(self) -> AsyncIterator[None]:
        """Build the gate, and hold it shut meanwhile."""
        does = f"PERFORM pg_advisory_xact_lock_shared({self._key});"
        async with self._built(does), self._owner.begin() as holder:
            await holder.execute(text(f"SELECT pg_advisory_xact_lock({self._key})"))
            yield

    @asynccontextmanager
    async def refusing_once(self, sqlstate: str) -> AsyncIterator[None]:
        """Let the first commit fail with an error, and whatever comes after pass."""
        await self._do("CREATE SEQUENCE events.gate_tries")  # no rollback resets it
        does = "IF nextval('events.gate_tries') = 1 THEN RAISE EXCEPTION 'not now'"
        try:
            async with self._built(f"{does} USING ERRCODE = '{sqlstate}'; END IF;"):
                yield
        finally:
            await self._do("DROP SEQUENCE events.gate_tries")

    @asynccontextmanager
    async def refusing(self, sqlstate: str) -> AsyncIterator[None]:
        """Let every commit fail with an error."""
        does = f"RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}';"
        async with self._built(does):
            yield

    @asynccontextmanager
    async def _built(self, does: str) -> AsyncIterator[None]:
        await self._do(
            "CREATE FUNCTION events.at_gate() RETURNS trigger LANGUAGE plpgsql"
            f" SECURITY DEFINER AS $$ BEGIN {does} RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON events.log"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
            f" WHEN (NEW.workspace_id = '{self._workspace}')"
            " EXECUTE FUNCTION events.at_gate()",
        )
        try:
            yield
        finally:
            await self._do("DROP FUNCTION events.at_gate() CASCADE")

    async def _do(self, *statements: str) -> None:
        async with self._owner.begin() as connection:
            for it in statements:
                await connection.execute(text(it))

    async def reached(self, *known: int) -> int:
        """Return the process of a commit that waits, other than those known."""
        for _ in range(PATIENCE):
            async with self._owner.connect() as connection:
                values = {"key": self._key, "known": list(known)}
                pid: int | None = await connection.scalar(_WAITING, values)
            if pid is not None:
                return pid
            await asyncio.sleep(POLL_S)
        raise AssertionError("no commit came to the gate")

    async def cut(self, pid: int) -> None:
        """End the process of a connection."""
        await self._do(f"SELECT pg_terminate_backend({pid})")


class Line:
    """Carries connections to a database; `mute` loses all that it answers from now.

    Or from so many bytes on, which may be in the middle of a message.
    """

    def __init__(self, url: str) -> None:
        self._there = make_url(url)
        self._here: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()
        self._left: dict[asyncio.Task[None], int] = {}
        self._refusing = False
        self.lost = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Listen; give the URL that leads through this line."""
        self._here = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = self._here.sockets[0].getsockname()[1]
        url = self._there.set(host="127.0.0.1", port=port, query={})
        async with self._here:
            yield url.render_as_string(hide_password=False)
            for it in self._carried:
                it.cancel()
            await asyncio.gather(*self._carried, return_exceptions=True)

    def mute(self, after: int = 0) -> None:
        """Break each present connection once the server has said so many bytes more."""
        self._left = dict.fromkeys(self._carried, after)

    def refuse(self, refusing: bool = True) -> None:
        """Hang up on whoever connects from now on, or carry them again."""
        self._refusing = refusing

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._refusing:
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._carried.add(task)
        answers, requests = await self._connect()
        asking = asyncio.create_task(_copy(reader, requests))
        try:
            while said := await answers.read(2**16):
                left = self._left.get(task, len(said))
                writer.write(said[:left])
                if left < len(said):
                    self.lost += 1
                    await writer.drain()
                    break
                if task in self._left:
                    self._left[task] -= len(said)
        finally:
            self._carried.discard(task)
            asking.cancel()
            for it in (requests, writer):
                it.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder, port = self._there.query.get("host"), self._there.port or 5432
        if folder:
            port = int(str(self._there.query.get("port", port)))
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self._there.host, port)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(2**16):
        writer.write(said)
    writer.close()
