"""An auditor with docs/audit.md and the standard library recomputes every hash.

Nothing of the product's own hashing is used here, so that the page is what is tested.
"""

import json
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.clients import Client
from tests.docs.pages import ROOT, blocks

NAMESPACE = UUID("6f1d5c0e-8a57-4f0b-9b63-2c8f3f1f7a10")  # as the page says
TASKS = 5  # with two events more: a tree of three perfect subtrees


def canonical(value: Any) -> bytes:
    """RFC 8785, for what the page says is hashed."""
    separators = (",", ":")
    return json.dumps(
        value, sort_keys=True, separators=separators, ensure_ascii=False
    ).encode()


def payload_hash(event: dict[str, Any]) -> str:
    prefix = b"metacortex/payload/v1\n" + bytes.fromhex(event["salt"])
    content = canonical(event["data"]) + b"\n" + canonical(event["context"])
    return sha256(prefix + content).hexdigest()


def leaf(event: dict[str, Any], workspace: UUID) -> dict[str, Any]:
    same = (
        *("actor", "causation_id", "command", "correlation_id", "event_id"),
        *("recorded_at", "schema_version", "type"),
    )
    return {
        **{name: event[name] for name in same},
        "payload_hash": payload_hash(event),
        "stream": {**event["stream"], "version": event["version"]},
        "v": 1,
        "workspace_id": str(workspace),
    }


def root(leaves: list[bytes]) -> bytes:
    """The root by its definition: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root(leaves[:half]) + root(leaves[half:])).digest()


def folded(frontier: bytes) -> bytes:
    parts = [frontier[at : at + 32] for at in range(0, len(frontier), 32)]
    node = parts.pop()
    while parts:
        node = sha256(b"\x01" + parts.pop() + node).digest()
    return node


async def test_every_hash_follows_from_the_page(
    client: Client, writes: AsyncEngine
) -> None:
    for number in range(TASKS):
        task = await client.task(f"Ünïcode {number} \U0001f9e0")
    await client.do("POST", f"/tasks/{task['id']}/complete")
    done = await client.do("POST", f"/tasks/{task['id']}/comment", {"body": "Done"})
    found = await client.get("/audit/events", at_least=done["meta"]["sequence"])
    workspace = uuid5(NAMESPACE, f"user_{client.user}")
    hashes = []
    for event in reversed(found["data"]):
        assert payload_hash(event) == event["payload_hash"]
        bytes_ = canonical(leaf(event, workspace))
        hashes.append(sha256(b"\x00" + bytes_).digest())
        assert hashes[-1].hex() == event["leaf_hash"]
        ids = (uuid5(UUID(event["command"]["id"]), str(n)) for n in range(2))
        assert UUID(event["event_id"]) in ids
    head = text("SELECT frontier FROM events.heads WHERE workspace_id = :workspace")
    async with writes.connect() as connection:
        frontier = await connection.scalar(head, {"workspace": workspace})
    assert len(hashes) == TASKS + 2
    assert folded(frontier) == root(hashes)


async def test_the_leaf_on_the_page_has_the_fields_of_a_real_one(
    client: Client,
) -> None:
    done = await client.do("POST", "/tasks", {"title": "Buy milk"})
    found = await client.get("/audit/events", at_least=done["meta"]["sequence"])
    shown = json.loads(blocks(ROOT / "docs/audit.md", "json")[0])
    real = leaf(found["data"][0], uuid5(NAMESPACE, "anybody"))
    assert shown.keys() == real.keys()
    for name in ("actor", "command", "stream"):
        assert shown[name].keys() == real[name].keys()
