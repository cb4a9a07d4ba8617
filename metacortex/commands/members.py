"""Members: who has shown a token of a workspace, and which role it gave.

Tasks are assigned to these, and to whoever was introduced (`commands/people.py`).
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import autocommit
from metacortex.kernel.ids import derived

_ADD = text(
    "INSERT INTO commands.members (workspace_id, id, user_id, role, version,"
    " created_at, updated_at) VALUES (:workspace, :id, :user, :role, 1, now(), now())"
    " ON CONFLICT DO NOTHING"  # of either key: first requests come several at once
)
_CHANGE = text(
    "UPDATE commands.members SET role = :role, updated_at = now()"
    " WHERE workspace_id = :workspace AND id = :id AND role IS DISTINCT FROM :role"
)

SEEN_LIMIT = 100_000  # pairs of workspace and user, some 25 MB; then it is cleared


def person_id(workspace_id: UUID, user_id: str) -> UUID:
    """Return the id of a user as a person, and a member, of a workspace."""
    return derived(workspace_id, user_id)


class Members:
    """Stores members at their first request to this process, and with a new role."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = autocommit(engine)
        self._seen: dict[tuple[UUID, str], str] = {}

    async def saw(self, workspace_id: UUID, user_id: str, role: str) -> None:
        """Store a user as a member; repeats within a process cost nothing."""
        key = (workspace_id, user_id)
        if self._seen.get(key) == role:
            return
        if len(self._seen) >= SEEN_LIMIT:
            self._seen.clear()
        values = {
            "workspace": workspace_id,
            "id": person_id(workspace_id, user_id),
            "user": user_id,
            "role": role,
        }
        async with self._engine.connect() as connection:
            if not (await connection.execute(_ADD, values)).rowcount:
                await connection.execute(_CHANGE, values)
        self._seen[key] = role
