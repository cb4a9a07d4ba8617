"""Examples of the operators' answers, by operation; routes bring them along."""

from collections.abc import Mapping
from typing import Any

from metacortex.operations.conditions import CONDITIONS

REQUEST_ID = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6c00"
RUN = "0199d2c4-7a10-7d02-8c11-5f0e2b9a4d01"
RETRIED = "0199d2c4-9b20-7aa1-b0c2-1d7e6f8a9b02"
MESSAGE = "0199d2c4-7a10-7d02-8c11-5f0e2b9a4d00"
WORKSPACE = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a00"
WORKER = "0199d2c4-0000-7000-8000-0d9f3b1f6a01"
COMMAND = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6b00"
EVENT = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6b01"
FINGERPRINT = "9f2c4b7a1d3e5f60"
AT = "2026-11-23T09:00:00Z"
LATER = "2026-11-23T09:00:01.250000Z"


def _envelope(data: Any, **meta: Any) -> dict[str, Any]:
    return {"data": data, "meta": {"request_id": REQUEST_ID, **meta}, "errors": []}


def _page(row: Any) -> dict[str, Any]:
    return _envelope([row], next_cursor=None)


_PARKED = CONDITIONS["workspace_parked"]
_OVERVIEW = {
    "verdict": "failing",
    "reasons": [
        {
            "code": _PARKED.code,
            "title": _PARKED.title,
            "severity": _PARKED.severity,
            "detail": "1 workspace is parked",
            "since": AT,
            "link": _PARKED.link,
        }
    ],
    "now": {
        "commands_per_s": 41.2,
        "events_per_s": 44.0,
        "requests_per_s": 310.5,
        "p99_ms": 18.4,
    },
    "lag": {"behind": 0, "oldest_s": 0.0, "parked": 1},
    "failures": {"open": 0, "new_last_hour": 0},
    "workers": {"alive": 3, "stalled": 0},
    "queues": {"ready": 0, "delayed": 0, "dead": 0},
    "storage": {"database_bytes": 104_857_600, "log_events": 250_000},
}
_RUN = {
    "id": RUN,
    "actor": "verify_workspace",
    "queue": "maintenance",
    "message_id": MESSAGE,
    "arguments": {"workspace_id": WORKSPACE},
    "workspace_id": WORKSPACE,
    "enqueued_at": AT,
    "started_at": AT,
    "finished_at": LATER,
    "duration_ms": 1250.0,
    "attempt": 1,
    "max_attempts": 1,
    "outcome": "failed",
    "open": True,
    "worker": WORKER,
    "progress": {"done": 120, "total": 120},
    "correlation_id": REQUEST_ID,
    "command_id": COMMAND,
    "error": {
        "type": "Differs",
        "message": "3 differences",
        "fingerprint": FINGERPRINT,
        "traceback": "Differs: 3 differences",
    },
    "retry_of": None,
    "next_attempt_at": None,
}
_ACTION = {
    "id": RETRIED,
    "at": LATER,
    "actor_id": "user_olga",
    "action": "run.retry",
    "target": RUN,
    "ip": "203.0.113.7",  # of those that RFC 5737 keeps for documents
    "result": "done",
    "run_id": RETRIED,
}
_STORY = {
    **_RUN,
    "attempts": [_RUN],
    "commands": [
        {
            "workspace_id": WORKSPACE,
            "command_id": COMMAND,
            "type": "task.create",
            "outcome": "applied",
            "error_code": None,
            "recorded_at": AT,
            "first_sequence": 1,
            "last_sequence": 1,
        }
    ],
    "events": [
        {
            "workspace_id": WORKSPACE,
            "sequence": 1,
            "type": "task.created",
            "event_id": EVENT,
            "command_id": COMMAND,
            "recorded_at": AT,
        }
    ],
    "projections": [
        {
            "workspace_id": WORKSPACE,
            "head": 120,
            "checkpoint": 120,
            "behind": 0,
            "shows_events": True,
            "parked_at": None,
        }
    ],
    "related": [],
    "actions": [_ACTION],
}

EXAMPLES: Mapping[str, Any] = {
    "getOverview": _envelope(_OVERVIEW),
    "getSeries": _envelope(
        {
            "metric": "events",
            "unit": "per second",
            "step_s": 10,
            "points": [{"at": AT, "value": 44.0}],
        }
    ),
    "listRuns": _page(_RUN),
    "getRun": _envelope(_STORY),
    "listFailures": _page(
        {
            "fingerprint": FINGERPRINT,
            "actor": "verify_workspace",
            "error_type": "Differs",
            "message": "3 differences",
            "first_at": AT,
            "last_at": LATER,
            "count": 2,
            "open": 1,
            "sample_run_id": RUN,
        }
    ),
    "listSchedules": _envelope(
        [
            {
                "name": "delete_old",
                "cron": "17 3 * * *",
                "interval_s": None,
                "time_zone": "UTC",
                "actor": "delete_old",
                "paused": False,
                "last_run": "2026-11-23T03:17:00Z",
                "next_at": "2026-11-24T03:17:00Z",
                "missed": "run_once",
            }
        ]
    ),
    "listQueues": _envelope(
        [
            {
                "name": "maintenance",
                "paused": False,
                "ready": 2,
                "delayed": 0,
                "running": 1,
                "dead": 1,
                "oldest_age_s": 0.8,
                "per_minute": 12.0,
            }
        ]
    ),
    "listWorkers": _envelope(
        [
            {
                "id": WORKER,
                "host": "worker-1",
                "pid": 17,
                "kind": "worker",
                "version": "0.1.0",
                "started_at": AT,
                "seen_at": LATER,
                "queues": ["projections", "maintenance"],
                "running": [
                    {"run_id": RUN, "actor": "verify_workspace", "started_at": AT}
                ],
                "rss_bytes": 94_371_840,
                "loop_delay_ms": 1.2,
                "state": "alive",
            }
        ]
    ),
    "listProjections": _page(
        {
            "workspace_id": WORKSPACE,
            "head": 120,
            "checkpoint": 118,
            "behind": 2,
            "lag_s": 340.5,
            "parked": {
                "sequence": 119,
                "event_type": "task.pinned v1",
                "matches_hashes": True,
                "error": "UnknownEvent('task.pinned')",
                "remedy": "deploy the release that knows the event, or mend the defect",
                "since": AT,
            },
            "rebuilds": 0,
            "rebuilding": {"done": 60, "total": 120, "eta_s": 1.0},
        }
    ),
    "listChecks": _envelope(
        [
            {
                "check": "projections",
                "status": "failing",
                "detail": "1 workspaces are parked",
                "remedy": "`metacortex status` names them, `metacortex rebuild` mends"
                " them",
            }
        ]
    ),
    "getDatabase": _envelope(
        {
            "version": "17.5",
            "bytes": 104_857_600,
            "max_connections": 100,
            "connections": [{"login": "metacortex_app", "state": "idle", "count": 12}],
            "tables": [
                {
                    "table": "events.log",
                    "bytes": 67_108_864,
                    "index_bytes": 20_971_520,
                    "rows": 250_000,
                    "dead_rows": 0,
                    "vacuumed_at": AT,
                }
            ],
            "slow_statements": [
                {
                    "statement": "SELECT pg_sleep($1)",
                    "calls": 1,
                    "mean_ms": 1000.2,
                    "total_ms": 1000.2,
                }
            ],
        }
    ),
    "listActions": _page(_ACTION),
    "streamOperations": "retry: 3000\n\nevent: action\ndata: "
    '{"id":"0199d2c4-9b20-7aa1-b0c2-1d7e6f8a9b02","action":"run.retry"}\n\n',
    "acted": _envelope(_ACTION),
}
