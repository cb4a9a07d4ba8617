"""The questions: every list, filter, sort, search and audit question, as paths."""

import datetime as dt
from collections.abc import Mapping
from urllib.parse import urlencode

from bench.growth.asking import Client
from bench.growth.filling import COMMON, RARE

COUNT_NONE = {"Prefer": "count=none"}


def _of(path: str, **query: object) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def questions(client: Client, tasks: int) -> Mapping[str, str]:
    """Return paths by what they ask, for a workspace of so many tasks."""
    one = client.ask("/tasks", per_page=1, status="completed")["data"][0]
    project = client.ask("/projects", per_page=1)["data"][0]["id"]
    tag = client.ask("/tags", per_page=1)["data"][0]["id"]
    parent = client.ask("/tasks", per_page=1, parent_id="none")["data"][0]["id"]
    half = max(1, tasks // 50 // 2)
    cursor = client.ask("/tasks", page=half)["meta"]["next_cursor"]
    command = client.ask("/audit/events", per_page=1)["data"][0]["command"]["id"]
    total = client.ask("/tasks", per_page=1)["meta"]["total"]
    today = dt.date.today()
    week = today + dt.timedelta(days=7)
    hour = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).isoformat()
    filters: Mapping[str, Mapping[str, object]] = {
        "status": {"status": "in_progress"},
        "status open": {"status": "open"},
        "priority": {"priority": "urgent"},
        "project": {"project_id": project},
        "project, status": {"project_id": project, "status": "open"},
        "no project": {"project_id": "none"},
        "no parent": {"parent_id": "none"},
        "parent": {"parent_id": parent},
        "tag": {"tag": tag},
        "status, priority, tag": {
            "status": "pending",
            "priority": "medium",
            "tag": tag,
        },
        "due this week": {"due_from": today, "due_to": week},
        "overdue": {"overdue": "true"},
        "not overdue": {"overdue": "false"},
        "archived": {"archived": "true"},
        "deleted": {"deleted": "true"},
        "created by": {"created_by": "user_bench"},
        "created by nobody": {"created_by": "user_nobody"},
        "assigned to nobody": {"assignee_id": "user_nobody"},
        "changed since": {"updated_since": hour.replace("+00:00", "Z")},
    }
    sorts = ("due", "-due", "title", "updated_at", "-updated_at", "priority")
    return {
        "list, first page": "/tasks",
        "cursor, in the middle": _of("/tasks", cursor=cursor),
        "last page by number": _of("/tasks", page=-(-total // 50)),
        **{f"filter {name}": _of("/tasks", **it) for name, it in filters.items()},
        **{f"sort {name}": _of("/tasks", sort=name) for name in sorts},
        "sort rank": _of("/tasks", sort="rank", parent_id="none"),
        f"search, a word in 1,000 ({RARE})": _of("/tasks", q=RARE),
        f"search, a word in 100 ({COMMON})": _of("/tasks", q=COMMON),
        "search, newest first": _of("/tasks", q=COMMON, sort="-created_at"),
        "statistics": "/tasks/stats",
        "projects with counts": "/projects",
        "audit, first page": "/audit/events",
        "audit by command": _of("/audit/events", command_id=command),
        "audit by type": _of("/audit/events", type="task.completed"),
        "audit by rare type": _of("/audit/events", type="tag.created"),
        "audit by actor": _of("/audit/events", actor_id="user_bench"),
        "audit by absent actor": _of("/audit/events", actor_id="user_nobody"),
        "audit of receipts": "/audit/commands",
        "activity": "/activity",
        "changes": _of("/changes", since=total // 2),
        "history": f"/tasks/{one['id']}/history",
        "one task": f"/tasks/{one['id']}",
        "one task, as it was": _of(f"/tasks/{one['id']}", version=1),
    }


WITHOUT_TOTAL = (
    "filter tag",
    "filter created by",
    "filter due this week",
    "filter status, priority, tag",
    f"search, a word in 100 ({COMMON})",
    "search, newest first",
)
"""Asked once more with `Prefer: count=none`: kept counts cannot tell their totals."""
