"""Databases of a server on which we may make some: embedded, or a test's."""

import asyncpg
from sqlalchemy.engine import make_url


async def create_database(url: str, name: str) -> str:
    """Create a database unless it is there; return its URL for the same user."""
    connection = await _connect(url)
    try:
        if not await connection.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", name
        ):
            await connection.execute(f"CREATE DATABASE {_quoted(name)}")
    finally:
        await connection.close()
    return with_parts(url, database=name)


def with_parts(
    url: str, *, user: str | None = None, database: str | None = None
) -> str:
    """Return the URL of another user or database of the same server."""
    parts = make_url(url)
    parts = parts.set(username=user) if user else parts
    parts = parts.set(database=database) if database else parts
    return parts.render_as_string(hide_password=False)


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    plain = make_url(url).set(drivername="postgresql")
    return await asyncpg.connect(plain.render_as_string(hide_password=False))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
