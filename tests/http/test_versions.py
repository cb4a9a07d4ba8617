"""If-Match, ETag and If-None-Match: who saw what, and whether it still stands."""

from uuid import uuid4

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused


async def test_the_current_version_passes(client: Client) -> None:
    task = await client.task()
    path = f"/tasks/{task['id']}"
    for match in ('"1"', 'W/"2"', "*"):
        title = f"after {match}"
        done = await client.send("PATCH", path, {"title": title}, {"If-Match": match})
        assert done.status_code == 200
    assert done.headers["ETag"] == '"4"'
    assert done.headers["Metacortex-Sequence"] == "4"


async def test_an_old_version_is_refused_with_the_current_one(client: Client) -> None:
    task = await client.task()
    path = f"/tasks/{task['id']}"
    await client.do("PATCH", path, {"title": "b"})
    response = await client.send("PATCH", path, {"title": "c"}, {"If-Match": '"1"'})
    error = refused(response, 412, "version_conflict")
    assert 2 in error["meta"].values()
    assert error["source"] == {"header": "If-Match"}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_does_not_exist_is_not_found_whatever_one_saw(
    client: Client, method: str
) -> None:
    body = {"title": "c"} if method == "PATCH" else None
    path = f"/tasks/{uuid4()}"
    response = await client.send(method, path, body, {"If-Match": '"3"'})
    refused(response, 404, "not_found")


@pytest.mark.parametrize("match", ["1", '"x"', "", '"1", "2"', '"1', '"9999999999"'])
async def test_a_match_of_another_form_is_refused(client: Client, match: str) -> None:
    task = await client.task()
    headers = {"If-Match": match}
    path = f"/tasks/{task['id']}"
    response = await client.send("PATCH", path, {"title": "b"}, headers)
    error = refused(response, 400, "invalid_header")
    assert error["source"] == {"header": "If-Match"}


async def test_what_did_not_change_is_not_sent_again(client: Client) -> None:
    done = await client.do("POST", "/tasks", {"title": "a"})
    await client.get("/tasks", done["meta"]["sequence"])
    id = done["data"]["id"]
    for path in (
        "/tasks",
        "/tasks?status=pending&sort=-due",
        "/projects",
        f"/tasks/{id}",
        f"/tasks/{id}/history",
        "/audit/events",
    ):
        first = await client.send("GET", path)
        headers = {"If-None-Match": first.headers["ETag"]}
        again = await client.send("GET", path, headers=headers)
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["ETag"] == first.headers["ETag"]


async def test_a_tag_ends_with_the_next_change(client: Client) -> None:
    done = await client.do("POST", "/tasks", {"title": "a"})
    await client.get("/tasks", done["meta"]["sequence"])
    path = f"/tasks/{done['data']['id']}"
    tags = {p: (await client.send("GET", p)).headers["ETag"] for p in ("/tasks", path)}
    done = await client.do("PATCH", path, {"title": "b"})
    await client.get("/tasks", done["meta"]["sequence"])
    for asked, tag in tags.items():
        again = await client.send("GET", asked, headers={"If-None-Match": tag})
        assert again.status_code == 200
        assert again.headers["ETag"] != tag


async def test_a_tag_does_not_depend_on_the_token(client: Client) -> None:
    done = await client.do("POST", "/tasks", {"title": "a"})
    await client.get("/tasks", done["meta"]["sequence"])
    later = client.like(user=client.user)
    assert later.token != client.token
    one = await client.send("GET", "/tasks")
    two = await later.send("GET", "/tasks")
    assert one.headers["ETag"] == two.headers["ETag"]


async def test_a_tag_of_another_workspace_matches_nothing(client: Client) -> None:
    other = client.like()
    one = await client.send("GET", "/tasks")
    two = await other.send("GET", "/tasks")
    assert one.headers["ETag"] != two.headers["ETag"]
    assert "Authorization" in one.headers["Vary"]


async def test_a_list_that_depends_on_the_clock_has_no_tag(client: Client) -> None:
    response = await client.send("GET", "/tasks", params={"overdue": "true"})
    assert "ETag" not in response.headers


async def test_any_of_several_tags_matches(client: Client) -> None:
    tag = (await client.send("GET", "/tasks")).headers["ETag"]
    headers = {"If-None-Match": f'"other", {tag}'}
    assert (await client.send("GET", "/tasks", headers=headers)).status_code == 304


async def test_a_tag_that_merely_contains_ours_does_not_match(client: Client) -> None:
    task = await client.task()
    path = f"/tasks/{task['id']}"
    await client.get(path, 1)
    tag = (await client.send("GET", path)).headers["ETag"]
    headers = {"If-None-Match": f'"x{tag}'}
    assert (await client.send("GET", path, headers=headers)).status_code == 200
