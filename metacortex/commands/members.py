"""Members: whose token has been seen in a workspace, and which role it gave.

Tasks are assigned to these, and to whoever was introduced (`commands/people.py`).
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import autocommit
from metacortex.kernel.ids import derived

_ADD = text(
    "INSERT INTO commands.members AS m (workspace_id, id, user_id, role, version,"
    " created_at, updated_at) VALUES (:workspace, :id, :user, :role, 1, now(), now())"
    " ON CONFLICT (workspace_id, id) DO UPDATE SET role = excluded.role,"
    " updated_at = now() WHERE m.role IS DISTINCT FROM excluded.role"
)


SEEN_LIMIT = 100_000  # members that a process remembers before it begins anew


def person_id(workspace_id: UUID, user_id: str) -> UUID:
    """Return the id of a user as a person, and a member, of a workspace."""
    return derived(workspace_id, user_id)


class Members:
    """Notes members as they come, once per process, member and role."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = autocommit(engine)
        self._seen: dict[tuple[UUID, str], str] = {}

    async def saw(self, workspace_id: UUID, user_id: str, role: str) -> None:
        """Note that somebody showed a token of the workspace; repeats cost nothing."""
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
            await connection.execute(_ADD, values)
        self._seen[key] = role
