"""The query parameters of the operators' lists."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from metacortex.api.fields import DIGITS, Clean, Id, Instant, Many, Parameters
from metacortex.api.ops.schemas import Metric, RunOutcome
from metacortex.kernel.errors import Malformed
from metacortex.operations import queries_state
from metacortex.operations.queries_runs import PER_PAGE, RunFilters

FIRST = datetime(1970, 1, 1, tzinfo=UTC)  # samples are of later
PER_PAGE_LIMIT = 200  # as of all other lists

Text = Annotated[str, Clean, Field(min_length=1, max_length=255)]
Flag = Annotated[bool, Field(strict=False)]


class CursorPage(Parameters):
    """Which page of a list that is read from its beginning."""

    per_page: Annotated[int, Field(ge=1, le=PER_PAGE_LIMIT), DIGITS] = PER_PAGE
    """Rows of a page."""
    cursor: Annotated[str, Field(min_length=1, max_length=2_000)] | None = None
    """The next_cursor of the page before."""


class RunParameters(CursorPage):
    """Which runs; several conditions are joined by and."""

    actor: Text | None = None
    """The job, such as rebuild_workspace."""
    queue: Text | None = None
    """The queue of the job."""
    outcome: Many[RunOutcome] = ()
    """How it ended, or where it is; several mean any of them."""
    worker: Id | None = None
    """The process that ran it."""
    correlation_id: Text | None = None
    """What the run belongs to."""
    command_id: Id | None = None
    """The command that caused it."""
    fingerprint: Text | None = None
    """The group of failures that it belongs to."""
    open: Flag | None = None
    """Whether it failed for good and waits for an operator."""
    from_: Annotated[Instant | None, Field(alias="from")] = None
    """Enqueued at this instant or later."""
    to: Instant | None = None
    """Enqueued at this instant or sooner."""
    q: Text | None = None
    """An id of the run, its message, command, worker or workspace; else words in its
    actor, error or arguments, of which the last may be the beginning of one."""

    def filters(self) -> RunFilters:
        """Return them as the query takes them."""
        given = self.model_dump(exclude={"per_page", "cursor", "from_", "to"})
        return RunFilters(**given, since=self.from_, until=self.to)


class FailureParameters(CursorPage):
    """Which groups of failures."""

    open: Flag | None = None
    """Whether any of its runs waits for an operator."""
    actor: Text | None = None
    """The job that failed."""


class ActionParameters(CursorPage):
    """Which actions."""

    actor_id: Text | None = None
    """Who did it."""
    action: Text | None = None
    """What was done, such as run.retry."""
    target: Text | None = None
    """What it was done to, such as the id of a run."""


class ProjectionParameters(CursorPage):
    """Which workspaces."""

    workspace_id: Id | None = None
    """This one only."""
    behind: Flag = False
    """Only those that are behind or parked."""


class SeriesParameters(Parameters):
    """Which metric, from when until when, a point how often."""

    metric: Metric
    """What is drawn."""
    from_: Annotated[Instant | None, Field(alias="from")] = None
    """The first instant; an hour before the last without it."""
    to: Instant | None = None
    """The last instant; now without it."""
    step: Annotated[int, Field(ge=10, le=86_400), DIGITS] | None = None
    """Seconds between two points, in tens; as few as give 360 points without it."""

    def span(self, now: datetime) -> tuple[datetime, datetime, int]:
        """Return the first and last instant, and the step. Raises Malformed."""
        until = self.to or now
        since = self.from_ or max(until, FIRST) - timedelta(hours=1)
        seconds = (until - since).total_seconds()
        if seconds < 0:
            raise _wrong("from", "It is later than to")
        step = self.step or _step_of(seconds)
        if step % queries_state.FINE_S:
            raise _wrong("step", "A multiple of 10, as samples are taken")
        if seconds / step > queries_state.POINTS:
            raise _wrong("step", f"More than {queries_state.POINTS} points")
        return since, until, step


def _step_of(seconds: float) -> int:
    """Return the step that gives at most 360 points, one a pixel or two."""
    tens = int(seconds / 360 / queries_state.FINE_S) + 1
    return queries_state.FINE_S * tens


def _wrong(name: str, detail: str) -> Malformed:
    return Malformed("invalid_parameter", detail, source={"parameter": name})
