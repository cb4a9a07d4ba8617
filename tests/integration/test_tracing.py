"""Traces: one from the request to the rows, across the processes; none unless asked."""

import asyncio
import gzip
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from metacortex import wakeups
from metacortex.api.app import local_issuer
from metacortex.kernel import tracing
from metacortex.kernel.errors import MetaCortexError
from metacortex.settings import Settings
from tests.clients import Client
from tests.integration.installation import Installation

HANG_S = 60.0  # only there to end a hang
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
WORKER = "metacortex-worker"
CHAIN = ["POST /api/v1/tasks", "command task.create", "send wake-up", "project"]


class Receiver(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.spans: list[tuple[str, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, trace: str) -> dict[str, tuple[str, Any]]:
        """Return the spans of a trace by name, each with its process' name."""
        own = [it for it in self.spans if it[1].trace_id.hex() == trace]
        return {span.name: (service, span) for service, span in own}


class Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        sent = ExportTraceServiceRequest()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        sent.ParseFromString(body)
        for resource in sent.resource_spans:
            named = {
                it.key: it.value.string_value for it in resource.resource.attributes
            }
            for scope in resource.scope_spans:
                self.server.spans += [
                    (named["service.name"], span) for span in scope.spans
                ]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
async def traced(receiver: Receiver) -> AsyncIterator[Installation]:
    """An API and a worker that trace; no scheduler, whose sweep might be first."""
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        begun = await Installation.begin(Path(folder))
        begun.extra = {"METACORTEX_OTEL_ENDPOINT": receiver.url}
        try:
            begun.start("worker")
            begun.start("api")
            await asyncio.to_thread(begun.wait_ready)
            yield begun
        finally:
            begun.end()


async def test_one_trace_goes_from_the_request_to_the_rows(
    traced: Installation, receiver: Receiver
) -> None:
    issuer = local_issuer(traced.settings)
    async with httpx2.AsyncClient(base_url=traced.base_url, timeout=20) as http:
        anna = Client.new(http, issuer)
        await anna.get("/tasks")
        headers = {"traceparent": TRACEPARENT, "X-Correlation-Id": "from-the-outside"}
        response = await anna.send("POST", "/tasks", {"title": "A"}, headers=headers)
        assert response.status_code == 201
        async with asyncio.timeout(HANG_S):
            while not set(CHAIN) <= receiver.of(TRACE).keys():
                await asyncio.sleep(0.05)
    found = receiver.of(TRACE)
    parent = CALLER
    for name in CHAIN:
        span = found[name][1]
        assert span.parent_span_id.hex() == parent, name
        parent = span.span_id.hex()
    assert [found[name][0] for name in CHAIN] == [*["metacortex-api"] * 3, WORKER]
    for name in (CHAIN[0], CHAIN[1], CHAIN[3]):
        attributes = {it.key: it.value for it in found[name][1].attributes}
        assert attributes[tracing.CORRELATION].string_value == "from-the-outside"
    assert found[CHAIN[0]][1].start_time_unix_nano <= (
        found[CHAIN[3]][1].start_time_unix_nano
    )


@pytest.fixture
def memory() -> Iterator[InMemorySpanExporter]:
    """What this process traces."""
    exporter = InMemorySpanExporter()
    tracing.configure(None, "test", exporter)
    yield exporter
    tracing.stop()


def test_without_an_endpoint_nothing_is_traced() -> None:
    tracing.configure(None, "test")
    assert tracing.tracer is None
    assert Settings.model_fields["otel_endpoint"].default is None
    assert wakeups.wake_up(["x"]).options == {}


def test_what_fails_is_told_and_what_was_not_traced_begins_a_trace(
    memory: InMemorySpanExporter,
) -> None:
    run, workspace = uuid4(), uuid4()
    with pytest.raises(MetaCortexError), tracing.job("rebuild", run, 2, "c"):
        raise MetaCortexError("not_found")
    tracing.received({})
    tracing.projected(1, [Told(workspace, "c"), Told(workspace, "d")])
    with tracing.sending([str(workspace)]) as options:
        assert options == {tracing.OPTION: {}}
    tracing._provider.force_flush()
    job, project = memory.get_finished_spans()
    assert job.status.status_code.name == "ERROR"
    assert dict(job.attributes or {})[tracing.CORRELATION] == "c"
    assert project.parent is None
    names = "metacortex.correlation_ids"
    assert dict(project.attributes or {})[names] == ("c", "d")


class Told:
    """An event as the projector tells of it."""

    def __init__(self, workspace_id: UUID, correlation_id: str) -> None:
        self.workspace_id, self.correlation_id = workspace_id, correlation_id


def test_commands_whose_wake_up_is_never_sent_are_forgotten(
    memory: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "REMEMBERED", 3)
    for _ in range(9):
        with tracing.command(uuid4(), ["task.create"], "c"):
            pass
    assert len(tracing._commands) == 3


async def test_a_collector_that_is_away_holds_up_nothing(client: Client) -> None:
    tracing.configure("http://127.0.0.1:1", "test")
    try:
        await client.task()
        await client.get("/tasks", at_least=1)
    finally:
        tracing.stop()
