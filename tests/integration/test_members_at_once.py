"""A user whose first requests come several at once is stored; none of them fails."""

import asyncio
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands.members import Members

ROUNDS, AT_ONCE = 25, 8


async def test_first_requests_at_once_store_one_member(
    engines: list[AsyncEngine],
) -> None:
    """As of several processes: each has not seen the user yet."""
    for _ in range(ROUNDS):
        workspace = uuid4()
        saw = [
            Members(engines[number % 2]).saw(workspace, "user_anna", "owner")
            for number in range(AT_ONCE)
        ]
        await asyncio.gather(*saw)
        await Members(engines[0]).saw(workspace, "user_anna", "member")
        async with engines[0].connect() as connection:
            sql = "SELECT role FROM commands.members WHERE workspace_id = :workspace"
            found = await connection.execute(text(sql), {"workspace": workspace})
            assert list(found.scalars()) == ["member"]
