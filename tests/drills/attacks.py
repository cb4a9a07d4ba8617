"""The attacks: what one caller, or nobody, once made everybody else wait with."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from uuid import uuid4, uuid5

import httpx2

from tests.drills.target import BATCH, Target, counted, told

KEYS = 300  # requests that spray keys or tokens
HEAD = b"GET /api/v1/tasks HTTP/1.1\r\nHost: drill\r\n"
POST = (
    b"POST /api/v1/tasks HTTP/1.1\r\nHost: drill\r\nContent-Type: application/json\r\n"
)


@dataclass(frozen=True)
class Attack:
    """An attack; `answer` is what it has to be told, or what the answer begins with."""

    name: str
    answer: str
    run: Callable[[Target], Awaitable[str]]


async def undo_of_a_tree(target: Target) -> str:
    root = await target.tree(target.scale.tree)
    path = f"/tasks/{root}/complete"
    done = await target.send("POST", path, {"subtasks": "complete"})
    assert done.status_code == 200, done.text
    command_id = done.json()["meta"]["command_id"]
    undone = await target.send("POST", f"/commands/{command_id}/undo", {})
    assert len(undone.json()["meta"]["events"]) == target.scale.tree + 1
    return told(undone)


def _back_and_forth(root: str) -> list[dict[str, object]]:
    kinds = ("task.delete", "task.restore")
    return [{"type": kinds[n % 2], "target": root} for n in range(BATCH)]


async def deletes_and_restores(target: Target) -> str:
    root = await target.tree(500)
    return told(await target.commands(_back_and_forth(root)))


async def dry_deletes_and_restores(target: Target) -> str:
    root = await target.tree(500)
    commands = _back_and_forth(root)
    return told(await target.commands(commands, query="?dry_run=true"))


async def deletes_and_restores_one_by_one(target: Target) -> str:
    root = await target.tree(500)
    done = await target.commands(_back_and_forth(root), atomicity="per_item")
    refused = [it["errors"] for it in done.json()["data"]["results"] if it["errors"]]
    assert {it[0]["code"] for it in refused} == {"too_much_at_once"}
    return f"{done.status_code}, {len(refused)} of them too_much_at_once"


async def bad_items(target: Target) -> str:
    body = {"title": "a", "tags": [0] * target.scale.items}
    return told(await target.send("POST", "/tasks", body))


async def unknown_fields(target: Target) -> str:
    body = {f"f{number}": 0 for number in range(target.scale.items // 8)}
    return told(await target.send("POST", "/tasks", body))


async def bad_batches(target: Target) -> str:
    wrong = {f"f{number}": 0 for number in range(100)}
    commands = [{"type": "task.create", "args": wrong} for _ in range(BATCH)]
    sent = [target.commands(commands, atomicity="per_item") for _ in range(5)]
    answers = await asyncio.gather(*sent)
    assert max(len(it.content) for it in answers) < 100_000
    return str(answers[0].status_code)


async def deep_bodies(target: Target) -> str:
    body = b"[" * 100_000
    headers = {"Content-Type": "application/json"}
    sent = target.send("POST", "/tasks", headers=headers, content=body)
    return told(await sent)


async def equal_names(target: Target) -> str:
    body = b"{" + b",".join([b'"title":"a"'] * (target.scale.items // 8)) + b"}"
    headers = {"Content-Type": "application/json"}
    return told(await target.send("POST", "/tasks", headers=headers, content=body))


async def many_streams(target: Target) -> str:
    path = target.base_url + "/api/v1/events/stream"

    async def open_one(stack: AsyncExitStack) -> str:
        headers = {"Last-Event-ID": "0"}
        stream = target.http.stream("GET", path, headers=headers)
        response = await stack.enter_async_context(stream)
        if response.status_code >= 400:
            await response.aread()
        return told(response)

    async with AsyncExitStack() as stack:
        found = await counted([open_one(stack) for _ in range(100)])
        for _ in range(20):
            await target.send("POST", "/tasks", {"title": "a"})
    return found


async def many_batches(target: Target) -> str:
    create = {"type": "task.create", "args": {"title": "Import"}}

    async def send() -> str:
        return told(await target.commands([create] * BATCH))

    found = await counted([send() for _ in range(target.scale.batches)])
    return "200, or 503 overloaded" if "overloaded" in found else found


async def keys_of_others(target: Target) -> str:
    async def send(number: int) -> str:
        key = str(uuid5(uuid4(), str(number)))
        headers = {"Idempotency-Key": key}
        return told(
            await target.send("POST", "/tasks", {"title": "a"}, headers=headers)
        )

    return await counted([send(number) for number in range(KEYS)])


async def forged_tokens(target: Target) -> str:
    async def send() -> str:
        headers = {"Authorization": f"Bearer {target.token[:-8]}AAAAAAAA"}
        return told(await target.send("GET", "/tasks", headers=headers))

    return await counted([send() for _ in range(KEYS)])


async def repeated_headers(target: Target) -> str:
    lines = b"".join(b"x-%d: 1\r\n" % number for number in range(14_000))
    return await target.raw(HEAD, b"x-1: 1\r\n", lines, b"\r\n")


async def one_huge_header(target: Target) -> str:
    return await target.raw(HEAD, b"x: ", b"a" * 40_000_000, b"\r\n\r\n")


async def a_long_target(target: Target) -> str:
    return await target.raw(
        b"GET /api/v1/tasks?q=" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: drill\r\n\r\n"
    )


async def two_lengths(target: Target) -> str:
    return await target.raw(POST, b"Content-Length: 9999999999999999\r\n\r\n")


async def _end_of(reader: asyncio.StreamReader) -> None:
    """Return once the server has said that it sends no more, or has gone."""
    with suppress(ConnectionError):
        while await reader.read(65_536):
            pass


async def _held(target: Target, first: bytes, more: bytes) -> str:
    """Open connections that send something, and then very little for some seconds."""
    address = httpx2.URL(target.base_url)
    opened, ended = [], []
    for _ in range(target.scale.connections):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(first)
        opened.append(writer)
        ended.append(asyncio.create_task(_end_of(reader)))
    ends = asyncio.get_running_loop().time() + target.scale.seconds
    while asyncio.get_running_loop().time() < ends:
        await asyncio.sleep(0.5)
        for writer in opened:
            if not writer.is_closing():
                writer.write(more)
    hung_up = sum(it.done() for it in ended)
    for writer in opened:
        writer.close()
    await asyncio.gather(*ended)
    return f"{len(opened)} held, {hung_up} of them ended by the server"


async def slow_headers(target: Target) -> str:
    return await _held(target, HEAD, b"x")


async def slow_bodies(target: Target) -> str:
    head = POST + target.authorization + b"Content-Length: 1000\r\n\r\n"
    return await _held(target, head, b" ")


async def idle_connections(target: Target) -> str:
    return await _held(target, b"", b"")


ATTACKS: Sequence[Attack] = (
    Attack("undo of a completed tree", "200", undo_of_a_tree),
    Attack("100 deletes and restores of 500", "409 too_much", deletes_and_restores),
    Attack("the same, as a dry run", "409 too_much", dry_deletes_and_restores),
    Attack("the same, item by item", "207, ", deletes_and_restores_one_by_one),
    Attack("bad items in an array", "422 invalid_field", bad_items),
    Attack("unknown fields", "422 too_many_fields", unknown_fields),
    Attack("batches of unknown fields", "207", bad_batches),
    Attack("100,000 arrays in each other", "400 ", deep_bodies),
    Attack("one name many times", "400 duplicate_key", equal_names),
    Attack("100 streams of a user", "20 × 200, 80 × 429", many_streams),
    Attack("batches of 100, all at once", "200", many_batches),
    Attack("keys that stand for others'", "400 invalid_header", keys_of_others),
    Attack("forged tokens", "401 token_invalid", forged_tokens),
    Attack("14,000 headers and a repeat", "431 headers", repeated_headers),
    Attack("a header of 40 MB", "431 headers", one_huge_header),
    Attack("a target of 100 kB", "414 target", a_long_target),
    Attack("a length of 16 digits", "400 bad_request", two_lengths),
    Attack("slow headers", "", slow_headers),
    Attack("slow bodies", "", slow_bodies),
    Attack("connections that say nothing", "", idle_connections),
)
"""In this order; what is answered only after its time has no answer of its own."""
