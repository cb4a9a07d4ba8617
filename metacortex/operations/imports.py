"""Imports that clients ask for: a list is kept until a worker has imported it."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.importing import checklist, importer
from metacortex.kernel.database import driver_pool
from metacortex.kernel.errors import Invalid, NotFound
from metacortex.operations import runs
from metacortex.operations.actors import IMPORT
from metacortex.operations.jobs import Job
from metacortex.operations.runs import JobRequest

ERRORS_KEPT = 1_000  # refusals listed; further ones are dropped

_ADD = text(
    "INSERT INTO workers.imports (id, workspace_id, actor_id, project, content, digest,"
    " correlation_id, run_id) VALUES (:id, :workspace, :actor, :project, :content,"
    " :digest, :correlation, :run)"
)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))")
_DIGEST = text("SELECT digest FROM workers.imports WHERE id = :id")
_FIND = text(
    "SELECT i.id, CASE WHEN i.status <> 'done' AND (r.open OR r.outcome = 'discarded')"
    " THEN 'failed' ELSE i.status END, greatest(i.done, coalesce(r.done, 0)),"
    " greatest(i.total, coalesce(r.total, 0)), i.errors::text, i.created_at,"
    " i.finished_at FROM workers.imports i LEFT JOIN LATERAL ("
    "SELECT open, outcome, done, total FROM workers.runs"
    f" WHERE workspace_id = i.workspace_id AND actor = '{IMPORT}'"
    " AND arguments ->> 'import_id' = i.id::text ORDER BY id DESC LIMIT 1) r ON true"
    " WHERE i.id = :id AND i.workspace_id = :workspace"
)
_BEGIN = text(
    "UPDATE workers.imports SET status = 'running' WHERE id = :id"
    " AND content IS NOT NULL RETURNING workspace_id, actor_id, project, content,"
    " correlation_id"
)
_DONE = text(
    "UPDATE workers.imports SET status = 'done', content = NULL, done = :done,"
    " total = :total, errors = CAST(:errors AS jsonb), finished_at = now()"
    " WHERE id = :id AND content IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Import:
    """How far an import is; counts are commands, those that were not needed too."""

    id: UUID
    status: str
    done: int
    total: int
    errors: Sequence[Any]
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A list to import: `id` is the client's, so that asking twice imports once."""

    id: UUID
    workspace_id: UUID
    actor_id: str
    project: str
    content: str
    correlation_id: str

    def digest(self) -> str:
        """Return what tells another request under the same id."""
        parts = [self.actor_id, self.project, self.content]
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()


async def add(engine: AsyncEngine, asked: Asked) -> UUID | None:
    """Keep a list, and enqueue its run; None if it was asked for before.

    Raises Invalid if something else was asked for under its id.
    """
    async with driver_pool(engine).begin() as direct:
        await direct.rows(_LOCK, {"id": str(asked.id)})
        seen = await direct.row(_DIGEST, {"id": asked.id})
        if seen is not None:
            if seen[0] != asked.digest():
                source = {"header": "Idempotency-Key"}
                raise Invalid("idempotency_key_reused", source=source)
            return None
        wanted = JobRequest(
            actor=IMPORT,
            arguments={"import_id": str(asked.id)},
            workspace_id=asked.workspace_id,
            correlation_id=asked.correlation_id,
        )
        started = await runs.enqueue(direct, wanted)
        values = {
            "id": asked.id,
            "workspace": asked.workspace_id,
            "actor": asked.actor_id,
            "project": asked.project,
            "content": asked.content,
            "digest": asked.digest(),
            "correlation": asked.correlation_id,
            "run": started.run_id,
        }
        await direct.write(_ADD, values)
        return started.run_id


async def find(engine: AsyncEngine, workspace_id: UUID, id: UUID) -> Import:
    """Return an import of a workspace. Raises NotFound."""
    row = await driver_pool(engine).row(_FIND, {"id": id, "workspace": workspace_id})
    if row is None:
        raise NotFound("not_found")
    values = [*row]
    values[4] = orjson.loads(values[4])
    return Import(*values)


async def run(keeping: AsyncEngine, writes: AsyncEngine, job: Job) -> UUID | None:
    """Import the list of a run; return the workspace that moved.

    Every command has an id that follows from the list, so that another attempt goes on
    where one ended. None if it is done already.
    """
    id = job.id("import_id")
    row = await driver_pool(keeping).row(_BEGIN, {"id": id})
    if row is None:
        return None
    workspace_id, actor_id, project, content, correlation = row
    workspace_id = runs.plain(workspace_id)
    found = await asyncio.to_thread(  # a megabyte takes a second
        checklist.read, content, namespace=workspace_id, default_project=project
    )
    total = sum(1 for _ in importer.steps(found))

    def progress(done: int, of: int) -> None:
        job.progress(total - of + done, total)  # what is there already is not sent

    report = await importer.run(
        writes,
        found,
        workspace_id=workspace_id,
        actor_id=actor_id,
        progress=progress,
        correlation_id=correlation,
    )
    errors = [
        {"line": it.line, "code": it.error.code, "detail": it.error.detail}
        for it in report.refused[:ERRORS_KEPT]
    ]
    values = {"id": id, "done": total, "total": total}
    values["errors"] = orjson.dumps(errors).decode()
    await driver_pool(keeping).write(_DONE, values)
    return workspace_id
