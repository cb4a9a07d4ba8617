"""Where the services of an installation are: shown, written to a file, probed."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import make_url

POSTGRES_PORT, REDIS_PORT = 5432, 6379  # where a URL names none
PROBE_TIMEOUT_S = 5.0


def addresses(urls: Mapping[str, str]) -> dict[str, str]:
    """Return where Postgres and Redis listen, without names and passwords."""
    database, redis = make_url(urls["DATABASE_URL"]), urlsplit(urls["REDIS_URL"])
    socket_folder = database.query.get("host")
    host = f"{database.host or 'localhost'}:{database.port or POSTGRES_PORT}"
    return {
        "Postgres": f"{socket_folder or host}, database {database.database}",
        "Redis": (
            unquote(redis.path)
            if redis.scheme == "unix"
            else f"{redis.hostname}:{redis.port or REDIS_PORT}"
        ),
    }


def write_services(file: Path, values: Mapping[str, str]) -> None:
    """Replace the file at once, readable by its owner only: URLs hold passwords."""
    fresh = file.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as output:
        output.write("# Written by `metacortex up`.\n")
        output.writelines(f"{name}={_literal(v)}\n" for name, v in values.items())
    fresh.replace(file)


def _literal(value: str) -> str:
    """Quote for dotenv. (It would expand ${NAME} even so; no URL has braces.)"""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


async def probe(host: str, port: int) -> str | None:
    """Return the status of GET /health/ready, or None if nobody answers."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await _status(host, port)
    except OSError:  # which a timeout is too
        return None


async def _status(host: str, port: int) -> str | None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET /health/ready HTTP/1.1\r\nHost: {host}:{port}\r\n"
        writer.write(f"{request}Connection: close\r\n\r\n".encode())
        words = (await reader.readline()).decode(errors="replace").split()
        return words[1] if len(words) > 1 else None
    finally:
        writer.close()
