"""The conditions that an operator is told of: one table, and the verdict over it.

`/ops/overview`, `/health/ready`, `metacortex doctor` and the alert rules in
`docs/monitoring/` all go by this table; `docs/operations.md` has a paragraph for each
row. What flickers is no reason: a condition counts once it has held for `persists_s`
(docs/decisions/0019-verdict.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

Verdict = Literal["healthy", "degraded", "failing"]

RUNBOOK = "/ops/runbook"
"""The page of the web app that shows docs/operations.md."""


class Severity(StrEnum):
    """What a condition makes of the verdict."""

    DEGRADED = "degraded"
    """Users are served; something that protects them, or makes it quick, is missing."""
    FAILING = "failing"
    """Some users are not served, or are shown old data."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One row: what is wrong above which threshold, and for how long it must hold."""

    code: str
    title: str
    severity: Severity
    threshold: float
    unit: str
    persists_s: float
    """Seconds that it must hold before it is told."""
    anchor: str
    """The heading of its paragraph in the runbook, as a link names it."""

    @property
    def link(self) -> str:
        """Where the runbook says what to do: a path of the API's own host."""
        return f"{RUNBOOK}#{self.anchor}"


_ROWS = (
    Condition(
        "database_unreachable",
        "Postgres does not answer",
        Severity.FAILING,
        2.0,  # an answer later than this is no better than none
        "seconds without an answer",
        0.0,
        "postgres-is-down",
    ),
    Condition(
        "schema_mismatch",
        "The schema is of another release",
        Severity.FAILING,
        0.0,
        "revisions away",
        0.0,
        "the-schema-is-of-another-release",
    ),
    Condition(
        "workspace_parked",
        "Workspaces are parked",
        Severity.FAILING,
        0.0,
        "workspaces",
        0.0,  # it does not pass by itself
        "a-workspace-is-parked",
    ),
    Condition(
        "projection_lagging",
        "Read tables lag",
        Severity.FAILING,
        10.0,  # METACORTEX_WAIT_LIMIT_S: the longest that a query may wait
        "seconds behind",
        30.0,
        "what-lags",
    ),
    Condition(
        "disk_low",
        "The disk is nearly full",
        Severity.FAILING,
        0.05,  # the share at which file systems begin to fragment, and root still works
        "of the disk free",
        0.0,
        "the-disk-is-nearly-full",
    ),
    Condition(
        "broker_unreachable",
        "Redis does not answer",
        Severity.DEGRADED,
        2.0,
        "seconds without an answer",
        5.0,  # a restart takes a second or two
        "redis-is-down",
    ),
    Condition(
        "no_worker",
        "No worker is alive",
        Severity.DEGRADED,
        1.0,
        "workers alive",
        20.0,  # a deploy replaces one within this
        "no-worker-no-scheduler",
    ),
    Condition(
        "no_scheduler",
        "No scheduler leads",
        Severity.DEGRADED,
        1.0,
        "schedulers that lead",
        20.0,  # fail-over takes 10 s
        "no-worker-no-scheduler",
    ),
    Condition(
        "worker_stalled",
        "A process has stalled",
        Severity.DEGRADED,
        0.0,
        "processes",
        5.0,
        "a-process-has-stalled",
    ),
    Condition(
        "queue_growing",
        "A queue grows",
        Severity.DEGRADED,
        30.0,  # wake-ups are served within milliseconds, jobs within seconds
        "seconds that the oldest message waits",
        0.0,  # the age itself says how long
        "a-queue-grows",
    ),
    Condition(
        "failures_open",
        "Failures are open",
        Severity.DEGRADED,
        0.0,
        "runs",
        0.0,  # they stay until somebody retries or discards them
        "failures-are-open",
    ),
    Condition(
        "replica_lagging",
        "The replica lags",
        Severity.DEGRADED,
        10.0,  # METACORTEX_WAIT_LIMIT_S, as above
        "seconds behind the primary",
        30.0,
        "the-replica-lags",
    ),
)

CONDITIONS: Mapping[str, Condition] = {row.code: row for row in _ROWS}
"""By code, the worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that holds now; `since` if the data itself tells."""

    code: str
    detail: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """A condition that has held for long enough."""

    code: str
    title: str
    severity: Severity
    detail: str
    since: datetime
    link: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, and why it is not `healthy`, the worst first."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


@dataclass(slots=True)
class Judge:
    """Knows since when each condition holds. One for each process that looks.

    The first look has no past: what it finds is told at once, unless the data says that
    it is younger than it must be.
    """

    _since: dict[str, datetime] = field(default_factory=dict)
    _older: set[str] = field(default_factory=set)
    """What held at the first look already: nobody knows since when."""
    _looked: bool = False

    def judge(self, findings: Iterable[Finding], now: datetime) -> Judgement:
        """Return the verdict over everything that holds now."""
        found = {it.code: it for it in findings}
        for code in self._since.keys() - found.keys():
            del self._since[code]
            self._older.discard(code)
        reasons = [
            reason
            for code, condition in CONDITIONS.items()
            if code in found
            and (reason := self._reason(condition, found[code], now)) is not None
        ]
        self._looked = True
        return Judgement(verdict_of(it.code for it in reasons), tuple(reasons))

    def _reason(
        self, condition: Condition, finding: Finding, now: datetime
    ) -> Reason | None:
        code = condition.code
        if not self._looked and finding.since is None:
            self._older.add(code)
        first = self._since.get(code, now)
        since = self._since[code] = min(first, finding.since or first)
        young = now - since < timedelta(seconds=condition.persists_s)
        if young and code not in self._older:
            return None
        return Reason(
            code,
            condition.title,
            condition.severity,
            finding.detail,
            since,
            condition.link,
        )


def verdict_of(codes: Iterable[str]) -> Verdict:
    """Return the verdict that these conditions come to."""
    severities = {CONDITIONS[code].severity for code in codes}
    if Severity.FAILING in severities:
        return "failing"
    return "degraded" if severities else "healthy"
