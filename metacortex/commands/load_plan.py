"""What has to be loaded for a batch, given what is cached of its workspaces.

Nothing is loaded only to find that it does not exist: commands are assumed to be new,
and so are the streams that they create. The statement that saves the batch verifies
this (docs/decisions/0002-lane.md).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from metacortex.commands import repository
from metacortex.commands.batch import PlannedUnit
from metacortex.commands.repository import AssumedAbsent, LoadStatement
from metacortex.commands.session import SessionCache, WorkspaceSession
from metacortex.kernel.decider import Need


class LoadPlan:
    """The workspaces, commands and needs to load, and the streams assumed absent."""

    def __init__(
        self, units: Sequence[PlannedUnit], cache: SessionCache, now: datetime
    ) -> None:
        self.assumed_absent: list[AssumedAbsent] = []
        self.workspaces: set[UUID] = set()
        self._commands: list[tuple[UUID, UUID]] = []
        self._needs: list[tuple[UUID, Need]] = []
        sessions: dict[UUID, WorkspaceSession | None] = {}
        for planned in units:
            id = planned.unit.workspace_id
            if id not in sessions:
                sessions[id] = cache.recent(id, now)
            self._add(id, planned, sessions[id])

    def statement(self) -> LoadStatement | None:
        """Return the statement that loads all of it, None if nothing is missing."""
        if not self.workspaces:
            return None
        return repository.load_statement(self.workspaces, self._commands, self._needs)

    def _add(
        self, workspace_id: UUID, planned: PlannedUnit, session: WorkspaceSession | None
    ) -> None:
        # dry runs and repeats save nothing, so that no save verifies an assumption
        dry = planned.unit.dry
        repeated = session is not None and session.has_receipt_of(planned.unit)
        needs: list[tuple[UUID, Need]] = []
        for step in planned.all_steps():
            for need in step.needs:
                if session is not None and session.satisfies(need):
                    continue
                if step.creates and need == step.stream and not dry:
                    self.assumed_absent.append((workspace_id, step.stream))
                else:
                    needs.append((workspace_id, need))
        if dry:
            self._commands += planned.keys()
        if session is None or needs or dry or repeated:
            self.workspaces.add(workspace_id)
            self._needs += needs
