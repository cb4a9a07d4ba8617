"""What a batch has to load, given what is known of its workspaces.

Nothing is loaded to find out that it is not there: commands are taken to be new, and
what they give birth to not to exist, and saving tells (docs/decisions/0002-lane.md).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from metacortex.commands import repository
from metacortex.commands.batch import Planned
from metacortex.commands.repository import Reading, Unborn
from metacortex.commands.space import Space, Spaces
from metacortex.kernel.decider import Need


class Wanted:
    """Gathers what is to be loaded, and what is taken not to exist."""

    def __init__(self, plans: Sequence[Planned], spaces: Spaces, now: datetime) -> None:
        self.unborn: list[Unborn] = []
        self.workspaces: set[UUID] = set()
        self._commands: list[tuple[UUID, UUID]] = []
        self._needs: list[tuple[UUID, Need]] = []
        trusted: dict[UUID, Space | None] = {}
        for plan in plans:
            id = plan.unit.workspace_id
            if id not in trusted:
                trusted[id] = spaces.trusted(id, now)
            self._add(id, plan, trusted[id])

    def reading(self) -> Reading | None:
        """Return what reads it all, None if there is nothing to read."""
        if not self.workspaces:
            return None
        return repository.reading(self.workspaces, self._commands, self._needs)

    def _add(self, workspace_id: UUID, plan: Planned, space: Space | None) -> None:
        dry = plan.unit.dry  # then nothing is saved, and nothing would tell
        repeats = space is not None and space.has_seen(plan.unit)  # nor then
        needs: list[tuple[UUID, Need]] = []
        for step in plan.all_steps():
            for need in step.needs:
                if space is not None and space.knows(need):
                    continue
                if need == step.born and not dry:
                    self.unborn.append((workspace_id, step.born))
                else:
                    needs.append((workspace_id, need))
        if dry:
            self._commands += plan.keys()
        if space is None or needs or dry or repeats:
            self.workspaces.add(workspace_id)
            self._needs += needs
