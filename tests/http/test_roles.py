"""Who may do what: the token decides, and nothing in the request does."""

from uuid import uuid4

import httpx2
import pytest

from metacortex.api.auth import Role
from tests.clients import BASE, Client
from tests.http.test_envelope import refused

ID = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a0f"  # of nothing; fixed, as test ids hold it

QUERIES = (
    "/tasks",
    f"/tasks/{ID}",
    "/tasks/stats",
    "/projects",
    f"/projects/{ID}",
    "/tags",
    f"/tags/{ID}",
    "/changes",
    "/events/stream",
)
COMMANDS = (
    ("POST", "/tasks"),
    ("PATCH", f"/tasks/{ID}"),
    ("DELETE", f"/tasks/{ID}"),
    ("POST", f"/tasks/{ID}/complete"),
    ("POST", "/projects"),
    ("POST", "/tags"),
    ("POST", f"/tags/{ID}/merge"),
    ("POST", "/commands"),
    ("POST", f"/commands/{ID}/undo"),
)
AUDIT = ("/audit/events", f"/audit/events/{ID}")
HISTORY = (f"/tasks/{ID}/history", f"/commands/{ID}")

ALL = [
    *(("GET", path) for path in (*QUERIES, *AUDIT, *HISTORY)),
    *COMMANDS,
]


@pytest.mark.parametrize(("method", "path"), ALL)
async def test_nobody_gets_in_without_a_token(
    http: httpx2.AsyncClient, method: str, path: str
) -> None:
    response = await http.request(method, BASE + path)
    refused(response, 401, "token_missing")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer"])
async def test_a_bad_token_is_refused(http: httpx2.AsyncClient, header: str) -> None:
    headers = {"Authorization": header}
    response = await http.get(f"{BASE}/tasks", headers=headers)
    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] in ("token_invalid", "token_missing")


async def test_an_old_token_is_refused_as_old(client: Client) -> None:
    token = client.issuer.token("anna", ttl_s=60, now=1_000_000_000)
    headers = {"Authorization": f"Bearer {token}"}
    response = await client.http.get(f"{BASE}/tasks", headers=headers)
    refused(response, 401, "token_expired")


@pytest.mark.parametrize("path", QUERIES)
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR])
async def test_auditors_and_operators_see_no_user_data(
    client: Client, role: Role, path: str
) -> None:
    other = client.like(user=client.user, role=role)
    error = refused(await other.send("GET", path), 403, "role_required")
    assert str(role) not in error["meta"]["roles"]


@pytest.mark.parametrize(("method", "path"), COMMANDS)
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR])
async def test_auditors_and_operators_change_nothing(
    client: Client, role: Role, method: str, path: str
) -> None:
    other = client.like(user=client.user, role=role)
    refused(await other.send(method, path, {"title": "a"}), 403, "role_required")


@pytest.mark.parametrize("path", [*AUDIT, *HISTORY])
async def test_an_operator_sees_no_audit_trail(client: Client, path: str) -> None:
    other = client.like(user=client.user, role=Role.OPERATOR)
    refused(await other.send("GET", path), 403, "role_required")


async def test_a_member_reads_no_audit_trail(client: Client) -> None:
    member = client.like(workspace=f"w{uuid4().hex[:12]}", role=Role.MEMBER)
    refused(await member.send("GET", "/audit/events"), 403, "role_required")


async def test_an_auditor_reads_the_trail_the_history_and_receipts(
    client: Client,
) -> None:
    done = await client.do("POST", "/tasks", {"title": "a"})
    auditor = client.like(user=client.user, role=Role.AUDITOR)
    events = await auditor.get("/audit/events", done["meta"]["sequence"])
    assert [one["type"] for one in events["data"]] == ["task.created"]
    history = await auditor.get(f"/tasks/{done['data']['id']}/history")
    assert history["meta"]["total"] == 1
    receipt = await auditor.get(f"/commands/{done['meta']['command_id']}")
    assert receipt["data"]["outcome"] == "applied"


async def test_members_of_a_workspace_see_the_same(client: Client) -> None:
    name = f"w{uuid4().hex[:12]}"
    anna = client.like(user="anna", workspace=name)
    bert = client.like(user="bert", workspace=name, role=Role.MEMBER)
    done = await anna.do("POST", "/tasks", {"title": "Ours"})
    found = await bert.get("/tasks", done["meta"]["sequence"])
    assert [one["id"] for one in found["data"]] == [done["data"]["id"]]


THEIRS = (
    ("GET", "/tasks/{}", None),
    ("GET", "/tasks/{}/history", None),
    ("PATCH", "/tasks/{}", {"title": "b"}),
    ("DELETE", "/tasks/{}", None),
    ("POST", "/tasks/{}/complete", None),
    ("POST", "/tasks/{}/comment", {"body": "b"}),
)


@pytest.mark.parametrize(("method", "path", "body"), THEIRS)
async def test_what_is_anothers_looks_like_nothing(
    client: Client, method: str, path: str, body: dict[str, str] | None
) -> None:
    theirs = await client.like().do("POST", "/tasks", {"title": "a"})
    headers = {"X-Request-Id": "same"}
    one = await client.send(method, path.format(theirs["data"]["id"]), body, headers)
    two = await client.send(method, path.format(uuid4()), body, headers)
    refused(one, 404, "not_found")
    assert one.content == two.content


async def test_anothers_receipt_and_event_look_like_nothing(client: Client) -> None:
    meta = (await client.like().do("POST", "/tasks", {"title": "a"}))["meta"]
    for path in (
        f"/commands/{meta['command_id']}",
        f"/audit/events/{meta['events'][0]['id']}",
    ):
        refused(await client.send("GET", path), 404, "not_found")
    path = f"/commands/{meta['command_id']}/undo"
    refused(await client.send("POST", path), 404, "not_found")


async def test_a_reference_to_anothers_project_is_unknown(client: Client) -> None:
    theirs = await client.like().do("POST", "/projects", {"name": "a"})
    for id in (theirs["data"]["id"], str(uuid4())):
        body = {"title": "b", "project_id": id}
        response = await client.send("POST", "/tasks", body)
        error = refused(response, 422, "unknown_reference")
        assert error["source"] == {"pointer": "/project_id"}
