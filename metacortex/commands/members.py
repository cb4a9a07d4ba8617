"""Members: whose token has been seen in a workspace; tasks are assigned to these."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import autocommit
from metacortex.kernel.ids import derived

_ADD = text(
    "INSERT INTO commands.members (workspace_id, id, user_id, version, created_at,"
    " updated_at) VALUES (:workspace, :id, :user, 1, now(), now())"
    " ON CONFLICT DO NOTHING"
)

SEEN_LIMIT = 100_000  # pairs that a process remembers before it begins anew


class Members:
    """Notes members as they come, once per process and member."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = autocommit(engine)
        self._seen: set[tuple[UUID, str]] = set()

    async def saw(self, workspace_id: UUID, user_id: str) -> None:
        """Note that somebody showed a token of the workspace; repeats cost nothing."""
        key = (workspace_id, user_id)
        if key in self._seen:
            return
        if len(self._seen) >= SEEN_LIMIT:
            self._seen.clear()
        values = {
            "workspace": workspace_id,
            "id": derived(workspace_id, user_id),
            "user": user_id,
        }
        async with self._engine.connect() as connection:
            await connection.execute(_ADD, values)
        self._seen.add(key)
