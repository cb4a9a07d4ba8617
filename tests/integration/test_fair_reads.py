"""Slow reads of one workspace: told in time, and no burden to others."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError

from metacortex.kernel.database import driver_pool, engine
from metacortex.kernel.driver_errors import public, sqlstate
from metacortex.queries.fair import FairReader
from tests.conftest import Urls

NAP = text("SELECT pg_sleep(CAST(:s AS float8))")
SLOW = text("SET statement_timeout = '100ms'")


class Gate:
    """A reader that answers when it is told to, and knows how many wait for it."""

    def __init__(self) -> None:
        self.inside = 0
        self.open = asyncio.Event()

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """Wait for the gate; fail where the values say so."""
        self.inside += 1
        try:
            await self.open.wait()
        finally:
            self.inside -= 1
        if values.get("fails"):
            raise RuntimeError
        return values["workspace"]

    async def rows(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """As one row."""
        return await self.row(statement, values)


async def test_a_workspace_has_some_of_the_connections() -> None:
    gate = Gate()
    fair = FairReader(gate, 2)
    many = [
        asyncio.create_task(fair.row(NAP, {"workspace": "a", "fails": n % 2}))
        for n in range(9)
    ]
    await asyncio.sleep(0)
    assert gate.inside == 2
    other = asyncio.create_task(fair.rows(NAP, {"workspace": "b"}))
    await asyncio.sleep(0)
    assert gate.inside == 3
    many[5].cancel()  # one that waits
    many[0].cancel()  # one that runs
    gate.open.set()
    found = await asyncio.gather(*many, other, return_exceptions=True)
    assert found.count("a") == 4 and found[-1] == "b"
    assert not fair._running and not fair._waiting


async def test_slow_reads_of_one_make_nobody_else_wait(urls: Urls) -> None:
    database = engine(urls.app, pool_size=5)
    fair = FairReader(driver_pool(database), 2)
    slow = {"workspace": uuid4(), "s": 1.0}
    held = [asyncio.create_task(fair.row(NAP, slow)) for _ in range(20)]
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await fair.row(NAP, {"workspace": uuid4(), "s": 0.0})
    waited = time.monotonic() - began
    for one in held:
        one.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    await database.dispose()
    assert waited < 5.0  # the others' ten rounds take ten


async def test_a_read_that_takes_too_long_holds_no_connection(urls: Urls) -> None:
    database = engine(urls.app, pool_size=1)
    async with database.connect() as connection:
        shown = (await connection.execute(text("SHOW statement_timeout"))).scalar()
    assert shown == "10s"
    direct = driver_pool(database)
    for _ in range(3):  # with one connection: were it held, the second would wait
        await direct.rows(SLOW, {})
        with pytest.raises(
            Exception
        ) as late:  # noqa: B017  # the driver has a class for each
            await direct.row(NAP, {"s": 5.0})
        assert sqlstate(late.value) == "57014"
        assert public(late.value).code == "query_timeout"
    assert not isinstance(late.value, DBAPIError)
    assert await direct.row(NAP, {"s": 0.0}) is not None
    await database.dispose()
