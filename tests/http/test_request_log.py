"""One line in the log for each request, and nothing of the request as it came."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest

from metacortex import logs
from metacortex.api.auth import workspace_of
from metacortex.api.request_log import EVERY, RequestLog
from tests.clients import BASE, Client

Lines = list[dict[str, Any]]


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """What was logged of requests since it was last asked for."""

    def read() -> Lines:
        found = []
        for line in capfd.readouterr().err.splitlines():
            if line.startswith("{") and '"event":"request"' in line:
                found.append(orjson.loads(line))
        return found

    yield read


async def test_a_command_is_one_line(client: Client, lines: Any) -> None:
    lines()
    headers = {"X-Request-Id": "seen-by-me", "X-Correlation-Id": "belongs-to"}
    await client.send("POST", "/tasks", {"title": "Secret title"}, headers)
    (line,) = lines()
    assert line.pop("duration_ms") > 0 and line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "seen-by-me",
        "correlation_id": "belongs-to",
        "method": "POST",
        "route": f"{BASE}/tasks",
        "status": 201,
        "ip": "127.0.0.1",
        "user": f"user_{client.user}",
        "workspace": str(workspace_of(f"user_{client.user}")),
        "commands": 1,
        "events": 1,
    }


async def test_every_answer_has_a_line(client: Client, lines: Any) -> None:
    root = await client.task()
    lines()
    await client.get(f"/tasks/{root['id']}", at_least=1)
    await client.send("GET", "/tasks/stats")
    await client.send("GET", f"/tasks/{uuid4()}")
    await client.http.get("/nothing")
    found = [(it["route"], it["status"], it.get("code")) for it in lines()]
    assert found == [
        (f"{BASE}/tasks/{{id}}", 200, None),
        (f"{BASE}/tasks/stats", 200, None),
        (f"{BASE}/tasks/{{id}}", 404, "not_found"),
        (None, 404, "route_not_found"),
    ]


@pytest.mark.parametrize("path", ["/tasks", "/tasks/stats"])
async def test_a_refused_token_is_logged_without_it(
    http: httpx2.AsyncClient, capfd: pytest.CaptureFixture[str], path: str
) -> None:
    capfd.readouterr()
    headers = {"Authorization": "Bearer secret.secret.secret"}
    response = await http.get(BASE + path, headers=headers)
    written = capfd.readouterr().err
    (line,) = [orjson.loads(it) for it in written.splitlines() if it.startswith("{")]
    assert (line["status"], line["code"]) == (401, "token_invalid")
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert "secret" not in written and "user" not in line


async def test_values_begin_no_line(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    evil = '\u2028{"event":"request"}'.encode()
    headers: Any = [
        (b"X-Request-Id", b"a\nb" + evil),
        (b"User-Agent", evil),
        (b"Authorization", f"Bearer {client.token}".encode()),
    ]
    await client.http.get(f"{BASE}/tasks?q=%0A%0D{{}}", headers=headers)
    written = capfd.readouterr().err
    assert written.count("\n") == 1 and "{}" not in written


def test_probes_are_sampled_unless_they_fail() -> None:
    written: Lines = []
    log = RequestLog(lambda event, about: written.append(dict(about)))
    about = {"request_id": "a", "correlation_id": "a", "ip": None}
    for _ in range(2 * EVERY):
        log.answered(about, "GET", "/health/live", 200, 0.001)
    assert len(written) == 2
    log.answered(about, "GET", "/health/ready", 503, 0.001)
    assert len(written) == 3


def test_quieter_levels_have_no_such_lines(capfd: pytest.CaptureFixture[str]) -> None:
    logs.line_writer("warning", "json")("request", {"a": 1})
    assert capfd.readouterr().err == ""
    logs.line_writer("info", "json")("request", {"a": 1})
    assert capfd.readouterr().err.startswith('{"a":1,"event":"request"')


def test_people_get_lines_of_their_own(capfd: pytest.CaptureFixture[str]) -> None:
    logs.line_writer("info", "console")("request", {"route": "/x", "bad": "a\nb"})
    written = "".join(capfd.readouterr())
    assert "request" in written and "a\nb" not in written
