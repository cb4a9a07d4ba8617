"""Tasks, projects and tags as a frontend uses them, and what the rules refuse."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused

FULL: dict[str, Any] = {
    "description": "Ask for the key",
    "priority": "high",
    "due": {"date": "2026-12-01", "time": "09:30:00", "time_zone": "Europe/Berlin"},
}


async def project(client: Client, name: str = "Move house") -> Any:
    """Create a project and return it."""
    return (await client.do("POST", "/projects", {"name": name}))["data"]


async def tag(client: Client, name: str = "errand") -> Any:
    """Create a tag and return it."""
    return (await client.do("POST", "/tags", {"name": name}))["data"]


async def test_a_task_is_what_was_said(client: Client) -> None:
    body = {
        "id": str(uuid4()),
        "title": "Call the notary",
        **FULL,
        "project_id": (await project(client))["id"],
        "tags": [(await tag(client))["id"]],
        "assignee_id": f"user_{client.user}",
    }
    response = await client.send("POST", "/tasks", body)
    task = response.json()["data"]
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/tasks/{body['id']}"
    assert {name: task[name] for name in body} == body
    assert (task["status"], task["version"]) == ("pending", 1)
    found = await client.get(f"/tasks/{body['id']}", 3)
    assert found["data"] == task


async def test_a_task_goes_through_its_life(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    for verb, body, status in (
        ("start", None, "in_progress"),
        ("block", {"reason": "No key"}, "blocked"),
        ("unblock", {}, "pending"),
        ("complete", None, "completed"),
        ("reopen", None, "pending"),
        ("cancel", None, "cancelled"),
    ):
        done = await client.do("POST", f"{path}/{verb}", body)
        assert done["data"]["status"] == status, verb
    assert done["meta"]["version"] == 7


async def test_null_empties_and_absence_leaves(client: Client) -> None:
    task = await client.task(**FULL)
    path = f"/tasks/{task['id']}"
    done = await client.do("PATCH", path, {"description": None})
    assert done["data"]["description"] is None
    assert done["data"]["due"] == FULL["due"]
    done = await client.do("PATCH", path, {"due": None})
    assert done["data"]["due"] is None
    assert done["data"]["priority"] == "high"


async def test_a_deadline_is_changed_in_part(client: Client) -> None:
    """A merge patch goes into what it finds (RFC 7396)."""
    task = await client.task()
    path = f"/tasks/{task['id']}"
    due = {"date": "2026-12-01", "time": None, "time_zone": "Europe/Berlin"}
    for patch, after in (
        ({"date": "2026-12-01", "time_zone": "Europe/Berlin"}, due),
        ({"time": "10:00"}, {**due, "time": "10:00:00"}),
        ({"date": "2026-12-02"}, {**due, "date": "2026-12-02", "time": "10:00:00"}),
        ({"time": None}, {**due, "date": "2026-12-02"}),
    ):
        done = await client.do("PATCH", path, {"due": patch})
        assert done["data"]["due"] == after
    response = await client.send("PATCH", path, {"due": {"date": None}})
    refused(response, 422, "missing_field")
    await client.do("PATCH", path, {"due": None})
    response = await client.send("PATCH", path, {"due": {"time": "10:00"}})
    assert refused(response, 422, "missing_field")["source"]["pointer"] == "/due/date"


async def test_projects_and_tags_are_found_by_words_and_by_parts(
    client: Client,
) -> None:
    await client.do("POST", "/tags", {"name": "Deep Work"})
    done = await client.do("POST", "/projects", {"name": "Deep Work"})
    for path in ("/tags", "/projects"):
        for q, total in (("eep", 1), ("work deep", 1), ("deep -work", 0), ("x", 0)):
            page = await client.get(path, done["meta"]["sequence"], q=q)
            assert page["meta"]["total"] == total, (path, q)


async def test_ids_made_here_are_in_order(client: Client) -> None:
    made = [UUID((await client.task())["id"]) for _ in range(3)]
    assert [id.version for id in made] == [7, 7, 7]
    assert made == sorted(made)


@pytest.mark.parametrize("field", ["title", "priority", "tags"])
async def test_what_cannot_be_empty_takes_no_null(client: Client, field: str) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    response = await client.send("PATCH", path, {field: None})
    assert refused(response, 422, "invalid_field")["source"]["pointer"] == f"/{field}"


async def test_tags_are_added_and_removed(client: Client) -> None:
    one, two = (await tag(client, "one"))["id"], (await tag(client, "two"))["id"]
    path = f"/tasks/{(await client.task(tags=[one]))['id']}"
    done = await client.do("PATCH", path, {"tags": {"add": [two], "remove": [one]}})
    assert done["data"]["tags"] == [two]


async def test_a_subtask_takes_after_its_parent(client: Client) -> None:
    home = (await project(client))["id"]
    parent = await client.task(project_id=home)
    child = await client.task(parent_id=parent["id"])
    assert (child["parent_id"], child["project_id"]) == (parent["id"], home)


async def test_a_task_cannot_stand_below_itself(client: Client) -> None:
    parent = await client.task()
    child = await client.task(parent_id=parent["id"])
    path = f"/tasks/{parent['id']}/move"
    response = await client.send("POST", path, {"parent_id": child["id"]})
    refused(response, 409, "cycle_detected")


async def test_open_subtasks_are_completed_along_or_refuse(client: Client) -> None:
    parent = await client.task()
    child = await client.task(parent_id=parent["id"])
    path = f"/tasks/{parent['id']}/complete"
    refused(
        await client.send("POST", path, {"subtasks": "require_done"}),
        409,
        "open_subtasks",
    )
    done = await client.do("POST", path, {"subtasks": "complete"})
    found = await client.get(f"/tasks/{child['id']}", done["meta"]["sequence"])
    assert found["data"]["status"] == "completed"


async def test_a_state_that_does_not_take_a_command_says_so(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    await client.do("POST", f"{path}/cancel")
    response = await client.send("POST", f"{path}/start")
    refused(response, 409, "invalid_transition")


async def test_a_deleted_task_is_gone_and_comes_back(client: Client) -> None:
    parent = await client.task()
    await client.task(parent_id=parent["id"])
    path = f"/tasks/{parent['id']}"
    done = await client.do("DELETE", path)
    assert done["data"]["deleted"] is True
    found = await client.get("/tasks", done["meta"]["sequence"])
    assert found["meta"]["total"] == 0
    assert (await client.get("/tasks", deleted="true"))["meta"]["total"] == 2
    done = await client.do("POST", f"{path}/restore")
    found = await client.get("/tasks", done["meta"]["sequence"])
    assert found["meta"]["total"] == 2


async def test_the_same_id_twice_is_refused(client: Client) -> None:
    task = await client.task()
    body = {"id": task["id"], "title": "b"}
    refused(await client.send("POST", "/tasks", body), 409, "already_exists")


async def test_a_comment_stands_in_the_history(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    done = await client.do("POST", f"{path}/comment", {"body": "They call on Monday"})
    history = await client.get(f"{path}/history", done["meta"]["sequence"])
    assert history["data"][0]["type"] == "task.commented"
    assert "They call on Monday" in history["data"][0]["details"].values()


async def test_an_assignee_must_be_a_member(client: Client) -> None:
    body = {"title": "a", "assignee_id": "user_nobody"}
    error = refused(await client.send("POST", "/tasks", body), 422, "member_unknown")
    assert error["source"] == {"pointer": "/assignee_id"}


async def test_a_project_goes_through_its_life(client: Client) -> None:
    path = f"/projects/{(await project(client))['id']}"
    done = await client.do("PATCH", path, {"name": "Move", "colour": "#cc6633"})
    assert (done["data"]["name"], done["data"]["colour"]) == ("Move", "#cc6633")
    for verb, archived in (("archive", True), ("unarchive", False)):
        done = await client.do("POST", f"{path}/{verb}")
        assert done["data"]["archived"] is archived
    assert (await client.do("DELETE", path))["data"]["deleted"] is True
    assert (await client.do("POST", f"{path}/restore"))["data"]["deleted"] is False


async def test_an_archived_project_takes_no_task(client: Client) -> None:
    id = (await project(client))["id"]
    await client.do("POST", f"/projects/{id}/archive")
    body = {"title": "a", "project_id": id}
    refused(await client.send("POST", "/tasks", body), 409, "project_archived")


async def test_projects_count_their_tasks(client: Client) -> None:
    home = await project(client)
    task = await client.task(project_id=home["id"])
    done = await client.do("POST", f"/tasks/{task['id']}/complete")
    found = await client.get("/projects", done["meta"]["sequence"])
    assert found["data"][0]["name"] == "Move house"
    counts = {k: v for k, v in found["data"][0].items() if k not in home}
    assert counts, "a listed project shows more than itself"


async def test_a_tag_is_renamed_and_deleted(client: Client) -> None:
    path = f"/tags/{(await tag(client))['id']}"
    done = await client.do("PATCH", path, {"name": "errands"})
    assert done["data"]["name"] == "errands"
    assert (await client.do("DELETE", path))["data"]["deleted"] is True


async def test_a_tags_name_is_unique_in_the_workspace(client: Client) -> None:
    await tag(client, "errand")
    refused(await client.send("POST", "/tags", {"name": "Errand"}), 409, "name_taken")
    await tag(client.like(), "errand")


async def test_a_merged_tag_hands_its_tasks_over(client: Client) -> None:
    one, two = (await tag(client, "one"))["id"], (await tag(client, "two"))["id"]
    task = await client.task(tags=[one])
    done = await client.do("POST", f"/tags/{one}/merge", {"into": two})
    found = await client.get(f"/tasks/{task['id']}", done["meta"]["sequence"])
    assert found["data"]["tags"] == [two]


async def test_a_tag_is_not_merged_into_itself(client: Client) -> None:
    id = (await tag(client))["id"]
    response = await client.send("POST", f"/tags/{id}/merge", {"into": id})
    refused(response, 409, "merge_into_itself")


@pytest.mark.parametrize("colour", ["red", "#12345", "#1234567", 7, "#12345\n"])
async def test_a_colour_has_six_digits(client: Client, colour: Any) -> None:
    response = await client.send("POST", "/tags", {"name": "a", "colour": colour})
    assert refused(response, 422, "invalid_field")["source"] == {"pointer": "/colour"}
