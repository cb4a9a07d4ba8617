"""Members: the users who have shown a token of a workspace, to assign tasks to."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import autocommit
from metacortex.kernel.ids import derived

_ADD = text(
    "INSERT INTO commands.members"
    " (workspace_id, id, user_id, version, created_at, updated_at)"
    " VALUES (:workspace, :id, :user, 1, now(), now())"
    " ON CONFLICT DO NOTHING"
)

SEEN_LIMIT = 100_000  # pairs of workspace and user, some 25 MB; then it is cleared


class Members:
    """Stores members at their first request to this process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = autocommit(engine)
        self._seen: set[tuple[UUID, str]] = set()

    async def saw(self, workspace_id: UUID, user_id: str) -> None:
        """Store a user as a member; repeats within a process cost nothing."""
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
