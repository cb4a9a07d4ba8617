"""One command, one query and one event through the whole machine."""

from tests.clients import Client


async def test_a_command_is_visible_to_a_query_that_waits_for_it(
    client: Client,
) -> None:
    done = await client.do("POST", "/tasks", {"title": "Buy milk"})
    found = await client.get("/tasks", at_least=done["meta"]["sequence"])
    counts = {"subtasks": {"open": 0, "all": 0}, "comments": 0}
    assert found["data"] == [{**done["data"], **counts}]
    assert found["meta"]["total"] == 1


async def test_history_says_who_did_what(client: Client) -> None:
    task = await client.task()
    done = await client.do("POST", f"/tasks/{task['id']}/complete")
    history = await client.get(
        f"/tasks/{task['id']}/history", at_least=done["meta"]["sequence"]
    )
    newest = history["data"][0]
    assert newest["actor"] == {"type": "user", "id": f"user_{client.user}"}
    assert newest["command"]["type"] == "task.complete"
    assert newest["changes"]["status"] == {"from": "pending", "to": "completed"}
