"""Whether an installation is in order: one line per check, with a remedy where not.

It changes nothing, and asks every service as the process would that uses it: each
database URL logs in for itself, and what that login may is compared with the matrix of
`metacortex/grants.py`, not believed from its name.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson
import redis.asyncio as redis
from sqlalchemy import text
from sqlalchemy.engine import make_url

from metacortex import __version__, audit_check, grants
from metacortex.api.app import sources
from metacortex.api.health import SCHEMA
from metacortex.api.keys import fetch, read_jwks, read_pem
from metacortex.console import first_line
from metacortex.describe import database
from metacortex.grants import APP, AUDITOR, PROJECTOR
from metacortex.kernel import driver_errors
from metacortex.kernel.database import (
    ReadConnection,
    autocommit,
    driver_arguments,
    driver_pool,
)
from metacortex.operations.conditions import CONDITIONS
from metacortex.operations.findings import of_disk
from metacortex.operations.observer import disk_space, look_once
from metacortex.settings import Settings

Status = Literal["ok", "warning", "failing", "skipped"]

OLDEST = 150_000  # server_version_num of PostgreSQL 15
TOLD = 5  # differences that one line names; the rest is counted
LEADERLESS_S = 30  # a leader that sweeps a long time renews its lease this late
APPEND_ONLY_REMEDY = (
    "put back what migrations/versions/0001_first_schema.sql says of it, and look for "
    "who took it away"
)
PROJECTIONS_REMEDY = "`metacortex status` names them, `metacortex rebuild` mends them"
LOG_REMEDY = (
    "`metacortex audit check` looks at every event; look for who wrote to the log, and "
    "at its backups"
)
_TRIGGER = "CREATE TRIGGER {} ON {} FOR EACH {} EXECUTE FUNCTION events.refuse()"
TRIGGERS = frozenset(
    {
        _TRIGGER.format("log_rows_stay BEFORE DELETE OR UPDATE", "events.log", "ROW"),
        _TRIGGER.format("log_stays BEFORE TRUNCATE", "events.log", "STATEMENT"),
        _TRIGGER.format("head_rows_stay BEFORE DELETE", "events.heads", "ROW"),
        _TRIGGER.format("heads_stay BEFORE TRUNCATE", "events.heads", "STATEMENT"),
        _TRIGGER.format("receipt_rows_stay BEFORE DELETE", "commands.receipts", "ROW"),
        _TRIGGER.format(
            "receipts_stay BEFORE TRUNCATE", "commands.receipts", "STATEMENT"
        ),
        _TRIGGER.format(
            "action_rows_stay BEFORE DELETE OR UPDATE", "workers.actions", "ROW"
        ),
        _TRIGGER.format("actions_stay BEFORE TRUNCATE", "workers.actions", "STATEMENT"),
    }
)
"""What keeps the log, and what operators did, as it is, as Postgres tells it."""

REFUSE_MD5 = "28a9adcad3071bbcc01f5ae67ec0230a"  # of what events.refuse() does


class NotInOrder(Exception):
    """A check found something that is not as it must be; the message says what."""


class Remark(Exception):
    """A check found something that works and should not stay."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a check found, and what to do about it."""

    check: str
    status: Status
    detail: str
    remedy: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)

    def told(self) -> dict[str, str]:
        """Return it in three columns, the remedy behind the detail."""
        detail = f"{self.detail}: {self.remedy}" if self.remedy else self.detail
        return {"check": self.check, "status": self.status, "detail": detail}


@dataclass(frozen=True)
class Check:
    """One question; its answer, or what it raises, is what the line says."""

    name: str
    ask: Callable[[], Awaitable[str]]
    remedy: str

    async def line(self) -> Line:
        """Ask, and return the line."""
        try:
            return _line(self.name, "ok", await self.ask())
        except Remark as remark:
            return _line(self.name, "warning", str(remark))
        except Exception as error:
            reason = first_line(driver_errors.cause(error))
            remedy = driver_errors.remedy(error) or self.remedy
            return Line(self.name, "failing", reason, remedy)


def _line(check: str, status: Status, detail: str) -> Line:
    return Line(check, status, detail)


async def doctor(settings: Settings) -> list[dict[str, str]]:
    """Return one line per check, in three columns."""
    return [line.told() for line in await inspect(settings)]


async def inspect(settings: Settings) -> list[Line]:
    """Return one line per check; what needs a database that is away is skipped."""
    asked = Doctor(settings)
    first = await Check("database", asked.version, "check DATABASE_URL").line()
    lines = [*_own(settings), first]
    rest = [*asked.of_database(), *asked.of_logins(), *asked.of_others()]
    needing = {check.name for check in asked.of_database()}
    for check in rest:
        if first.status == "failing" and check.name in needing:
            lines.append(_line(check.name, "skipped", "the database does not answer"))
        else:
            lines.append(await check.line())
    lines.append(_disk(settings))
    if settings.database_auditor_url is None:
        unset = "DATABASE_AUDITOR_URL is not set"
        lines.append(_line(f"login of {AUDITOR}", "skipped", unset))
    return lines


def _own(settings: Settings) -> list[Line]:
    """Check what needs nobody else."""
    unsafe = [_line("settings", "failing", it) for it in settings.problems()]
    new_enough: Status = "ok" if sys.version_info >= (3, 11) else "failing"
    return [
        _line("python", new_enough, sys.version.split()[0]),
        _line("metacortex", "ok", __version__),
        *(unsafe or [_line("settings", "ok", f"fit for {settings.environment}")]),
    ]


def _disk(settings: Settings) -> Line:
    """Say how full the database's disk is; of one elsewhere only its server knows."""
    disk = disk_space(settings.local_data)
    if disk is None:
        return _line("disk", "skipped", "unknown: the database is not run by `up`")
    if of_disk(disk):
        remedy = f"free some, as {CONDITIONS['disk_low'].link} says"
        return Line("disk", "failing", disk.told(), remedy)
    return _line("disk", "ok", disk.told())


class Doctor:
    """The checks of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of_database(self) -> Sequence[Check]:
        """Return the checks that DATABASE_URL answers."""
        migrate = "run `metacortex migrate`"
        return [
            Check("schema", self._schema, migrate),
            Check("append-only", self._append_only, APPEND_ONLY_REMEDY),
            Check("grants", self._grants, "as the owner"),
            Check("log", self._log, LOG_REMEDY),
            Check("projections", self._projections, PROJECTIONS_REMEDY),
            Check("scheduler", self._scheduler, "start `metacortex scheduler`"),
            Check("verdict", self._verdict, "follow the links into the runbook"),
        ]

    def of_logins(self) -> Sequence[Check]:
        """Return a check for each login, and what it is used for."""
        settings, uses = self._settings, dict[str, list[str]]()
        uses[settings.database_url] = [APP]
        uses.setdefault(settings.projector_url, []).append(PROJECTOR)
        if settings.database_auditor_url is not None:
            uses.setdefault(settings.auditor_url, []).append(AUDITOR)
        found = [self._login(url, roles) for url, roles in uses.items()]
        if settings.database_owner_url is not None:
            remedy = f"let DATABASE_OWNER_URL log in as one that may become {OWNER}"
            found.append(Check(f"login of {OWNER}", self._owner, remedy))
        if settings.database_read_url is not None:
            found.append(Check("replica", self._replica, "check DATABASE_READ_URL"))
        return found

    def of_others(self) -> Sequence[Check]:
        """Return the checks of what is no database."""
        found = [Check("redis", self._redis, "check REDIS_URL; nothing is lost")]
        remedy = "check METACORTEX_TOKEN_JWKS_URL or METACORTEX_TOKEN_PUBLIC_KEY"
        return [*found, Check("token keys", self._keys, remedy)]

    @asynccontextmanager
    async def _connected(self, url: str) -> AsyncIterator[ReadConnection]:
        opened = database(self._settings, url)
        try:
            async with autocommit(opened).connect() as connection:
                yield ReadConnection(connection)
        finally:
            await opened.dispose()

    async def _scalar(self, sql: str, url: str | None = None) -> Any:
        async with self._connected(url or self._settings.database_url) as connection:
            return await connection.scalar(text(sql))

    async def version(self) -> str:
        """Return the server's version. Raises NotInOrder below 15."""
        number = int(await self._scalar("SHOW server_version_num"))
        if number < OLDEST:
            raise NotInOrder("PostgreSQL 15 is the oldest that works")
        return f"PostgreSQL {number // 10_000}.{number % 10_000}"

    async def _schema(self) -> str:
        found = await self._scalar("SELECT version_num FROM public.alembic_version")
        if found != SCHEMA:
            raise NotInOrder(f"the schema is at {found}, this release needs {SCHEMA}")
        return f"revision {found}"

    async def _append_only(self) -> str:
        sql = (
            "SELECT coalesce(array_agg(pg_get_triggerdef(oid)), '{}') FROM pg_trigger"
            " WHERE tgenabled = 'A' AND tgfoid = 'events.refuse'::regproc"
        )
        if missing := TRIGGERS - set(await self._scalar(sql)):
            names = sorted(trigger.split()[2] for trigger in missing)
            raise NotInOrder(f"triggers are off or altered: {', '.join(names)}")
        body = "SELECT md5(prosrc) FROM pg_proc WHERE oid = 'events.refuse'::regproc"
        if await self._scalar(body) != REFUSE_MD5:
            raise NotInOrder("the function events.refuse() is not ours")
        return "triggers in place, on log, heads and receipts"

    async def _grants(self) -> str:
        async with self._connected(self._settings.database_url) as connection:
            found = await grants.differences(connection)
        if found:
            raise NotInOrder(_some(found))
        return "those of the matrix"

    async def _log(self) -> str:
        settings = self._settings
        arguments = driver_arguments(
            settings.auditor_url, pooler=settings.database_pooler, name="metacortex-cli"
        )
        seen = await audit_check.sample(arguments)
        if seen.found:
            raise NotInOrder(_some([str(verdict) for verdict in seen.found]))
        sample = f"{seen.events} events of {seen.workspaces} workspaces"
        return f"{sample}, a sample, are as appended"

    def _login(self, url: str, roles: Sequence[str]) -> Check:
        async def ask() -> str:
            async with self._connected(url) as connection:
                await connection.execute(text("SELECT 1 FROM events.log LIMIT 1"))
                name, above = await grants.standing(connection)
                has = await grants.powers(connection)
            return self._judged(name, above, has, grants.reach(roles, has))

        remedy = (
            f"let {_variables(self._settings, url)} log in as {' and '.join(roles)}"
        )
        return Check(f"login of {', '.join(roles)}", ask, remedy)

    def _judged(
        self,
        name: str,
        above: Sequence[str],
        has: Mapping[str, grants.Privileges],
        should: Mapping[str, grants.Privileges],
    ) -> str:
        """Say that a login may what it should; raises if less, or more."""
        if lacking := _listed(should, has):
            raise NotInOrder(f"{name} may not {_some(lacking)}")
        if beyond := [*above, *(f"may {it}" for it in _listed(has, should))]:
            said = f"{name} may more than it needs: {_some(beyond)}"
            raise NotInOrder(said) if self._settings.is_production else Remark(said)
        reads, writes = _count(has, {"SELECT"}), _count(has, grants.ALL - grants.READ)
        written = f"writes {writes}" if writes else "writes nothing"
        return f"{name} reads {reads} tables, {written}, as it should"

    async def _owner(self) -> str:
        async with self._connected(self._settings.owner_url) as connection:
            name, above = await grants.standing(connection)
        if not above:
            raise NotInOrder(f"{name} cannot migrate")
        return f"{name} {', '.join(above)}"

    async def _replica(self) -> str:
        sql = "SELECT pg_is_in_recovery()"
        behind = await self._scalar(sql, self._settings.read_url)
        return "a replica" if behind else "answers, and is no replica"

    async def _projections(self) -> str:
        sql = (
            "SELECT json_build_array(count(*) FILTER (WHERE c.parked_at IS NOT NULL),"
            " coalesce(max(h.sequence - coalesce(c.sequence, 0)), 0),"
            " count(*) FILTER (WHERE c.sequence > h.sequence))::text"
            " FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)"
        )
        parked, lag, ahead = orjson.loads(await self._scalar(sql))
        if parked:
            raise NotInOrder(f"{parked} workspaces are parked")
        if ahead:
            raise NotInOrder(f"{ahead} workspaces show more than their log holds")
        return f"at most {lag} events behind" if lag else "nothing lags"

    async def _scheduler(self) -> str:
        sql = (
            "SELECT json_build_array(holder, ceil(extract(epoch FROM"
            " now() - expires_at)))::text FROM workers.leases WHERE name = 'sweep'"
        )
        found = await self._scalar(sql, self._settings.projector_url)
        if found is None:
            raise NotInOrder("none leads")
        holder, late_s = orjson.loads(found)
        if late_s > LEADERLESS_S + self._settings.sweep_interval_s:
            raise NotInOrder(f"none leads; {holder} did until {late_s} s ago")
        return f"{holder} leads"

    async def _verdict(self) -> str:
        """Say what `metacortex ops overview` says."""
        settings = self._settings
        primary = database(settings, settings.database_url)
        replica = database(settings, settings.read_url)
        client = redis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=1, socket_timeout=1
        )
        reads = driver_pool(replica) if settings.database_read_url else None
        try:
            found = sources(settings, driver_pool(primary), reads, client)
            judged = (await look_once(found)).judgement
        finally:
            await client.aclose()
            await primary.dispose()
            await replica.dispose()
        said = _some([f"{it.title}: {it.detail} ({it.link})" for it in judged.reasons])
        if judged.verdict == "failing":
            raise NotInOrder(said)
        if judged.verdict == "degraded":
            raise Remark(said)
        return judged.verdict

    async def _redis(self) -> str:
        client = redis.Redis.from_url(
            self._settings.redis_url, socket_connect_timeout=1, socket_timeout=1
        )
        try:
            memory = await client.info("memory")
        finally:
            await client.aclose()
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise Remark(f"answers, but evicts ({policy}): set it to noeviction")
        return "answers"

    async def _keys(self) -> str:
        settings = self._settings
        if settings.token_public_key:
            read_pem(settings.token_public_key)
            return "one public key, from the settings"
        if settings.token_jwks_url:
            body = await asyncio.to_thread(fetch, settings.token_jwks_url)
            return f"{len(read_jwks(orjson.loads(body)))} published by the issuer"
        if settings.is_production:
            raise NotInOrder("none is named")
        return "those of the local issuer"


OWNER = grants.OWNER


def _variables(settings: Settings, url: str) -> str:
    names = {
        "DATABASE_URL": settings.database_url,
        "DATABASE_PROJECTOR_URL": settings.database_projector_url,
        "DATABASE_AUDITOR_URL": settings.database_auditor_url,
    }
    found = " and ".join(name for name, its in names.items() if its == url)
    return f"{found} (user {make_url(url).username or 'none'})"


def _listed(
    more: Mapping[str, grants.Privileges], less: Mapping[str, grants.Privileges]
) -> list[str]:
    """Return what one of two has beyond the other, as `INSERT on events.log`."""
    nothing: grants.Privileges = frozenset()
    return [
        f"{power} on {table}"
        for table in sorted(more)
        for power in sorted(more[table] - less.get(table, nothing))
    ]


def _count(
    has: Mapping[str, grants.Privileges], any_of: frozenset[str] | set[str]
) -> int:
    return sum(1 for powers in has.values() if powers & any_of)


def _some(items: Sequence[str]) -> str:
    more = len(items) - TOLD
    return "; ".join(items[:TOLD]) + (f"; and {more} more" if more > 0 else "")
