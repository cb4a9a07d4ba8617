"""Traces by OpenTelemetry: from the request over the command and its message to rows.

Off unless `configure` was called: `tracer` is None then, and whoever has something to
tell asks only that. The context of a command goes to the workers in the wake-up that
its workspace gets (W3C `traceparent`). What is projected without one, as by the sweep,
begins a trace of its own; the correlation id stands on every span and joins them.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import time_ns
from typing import Any, Protocol
from uuid import UUID

from metacortex import __version__

EXPORT_MS = 1_000  # between two sendings
TIMEOUT_S = 3.0  # of one; at shutdown nothing is waited for longer
REMEMBERED = 10_000  # workspaces whose wake-up is not sent yet
NAMED = 20  # correlations that the span of one batch names
OPTION = "traceparents"
CORRELATION = "metacortex.correlation_id"
WORKSPACE = "metacortex.workspace_id"

tracer: Any = None
_provider: Any = None
_commands: OrderedDict[UUID, Any] = OrderedDict()
_carried: ContextVar[Mapping[str, str] | None] = ContextVar("carried", default=None)


class NotInstalled(Exception):
    """Tracing is asked for, and OpenTelemetry is not there."""


class Record(Protocol):
    """What is told of an event that was projected."""

    @property
    def workspace_id(self) -> UUID: ...

    @property
    def correlation_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class RequestSpan:
    """The span of a request, and what ends its being the current one."""

    span: Any
    token: Any


def configure(endpoint: str | None, service: str, exporter: Any = None) -> None:
    """Begin to trace, if there is an endpoint (or an exporter, in tests).

    Raises NotInstalled.
    """
    global tracer, _provider
    if endpoint is None and exporter is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise NotInstalled(
            "METACORTEX_OTEL_ENDPOINT is set: pip install 'metacortex[otel]'"
        ) from error
    names = {"service.name": f"metacortex-{service}", "service.version": __version__}
    _provider = TracerProvider(resource=Resource.create(names))
    if exporter is None:
        url = f"{endpoint}".rstrip("/") + "/v1/traces"
        exporter = OTLPSpanExporter(endpoint=url, timeout=TIMEOUT_S)
    _provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_MS)
    )
    tracer = _provider.get_tracer("metacortex", __version__)


def stop() -> None:
    """Send what is left, and trace no more."""
    global tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    tracer = _provider = None
    _commands.clear()


def begin_request(
    method: str, headers: Mapping[str, str], correlation_id: str
) -> RequestSpan:
    """Begin the span of a request, as a part of the caller's trace if it names one."""
    from opentelemetry import context, trace

    span = tracer.start_span(
        method,
        context=_extracted(headers.get("traceparent"), headers.get("tracestate")),
        kind=trace.SpanKind.SERVER,
        attributes={"http.request.method": method, CORRELATION: correlation_id},
    )
    return RequestSpan(span, context.attach(trace.set_span_in_context(span)))


def end_request(
    request: RequestSpan, method: str, route: str | None, code: int
) -> None:
    """End the span of a request, by the name of its route."""
    from opentelemetry import context, trace

    span = request.span
    span.set_attribute("http.response.status_code", code)
    if route is not None:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    if code >= 500:
        span.set_status(trace.StatusCode.ERROR)
    context.detach(request.token)
    span.end()


@contextmanager
def command(
    workspace_id: UUID, names: Sequence[str], correlation_id: str
) -> Iterator[None]:
    """Trace the commands of a unit, from the queue to the answer."""
    attributes = {
        WORKSPACE: str(workspace_id),
        CORRELATION: correlation_id,
        "metacortex.commands": list(names),
    }
    name = names[0] if len(names) == 1 else "batch"
    with tracer.start_as_current_span(f"command {name}", attributes=attributes) as span:
        _commands[workspace_id] = span
        _commands.move_to_end(workspace_id)
        while len(_commands) > REMEMBERED:
            _commands.popitem(last=False)
        yield


@contextmanager
def sending(workspaces: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Trace a wake-up while it is sent; yield what its message carries.

    One span for each workspace that a traced command moved, as its commands' child.
    """
    from opentelemetry import trace

    spans = {}
    for id in workspaces:
        parent = _commands.pop(UUID(id), None)
        if parent is not None:
            spans[id] = tracer.start_span(
                "send wake-up",
                context=trace.set_span_in_context(parent),
                kind=trace.SpanKind.PRODUCER,
                attributes={WORKSPACE: id},
            )
    try:
        yield {OPTION: {id: _header(span) for id, span in spans.items()}}
    finally:
        for span in spans.values():
            span.end()


def received(options: Mapping[str, Any]) -> None:
    """Take what a wake-up carries, for what this thread projects next."""
    _carried.set(options.get(OPTION, {}))


def projected(began_ns: int, records: Iterable[Record]) -> None:
    """Tell of a batch that was projected, a span for each workspace."""
    from opentelemetry import trace

    ended_ns, found = time_ns(), dict[UUID, list[Record]]()
    for record in records:
        found.setdefault(record.workspace_id, []).append(record)
    for id, own in found.items():
        correlations = list(dict.fromkeys(it.correlation_id for it in own))
        attributes: dict[str, Any] = {
            WORKSPACE: str(id),
            "metacortex.events": len(own),
            "metacortex.correlation_ids": correlations[:NAMED],
        }
        if len(correlations) == 1:
            attributes[CORRELATION] = correlations[0]
        span = tracer.start_span(
            "project",
            context=_extracted((_carried.get() or {}).get(str(id)), None),
            kind=trace.SpanKind.CONSUMER,
            start_time=began_ns,
            attributes=attributes,
        )
        span.end(ended_ns)


@contextmanager
def job(actor: str, run_id: UUID, attempt: int, correlation_id: str) -> Iterator[None]:
    """Trace a run; an error makes it one that failed."""
    attributes = {
        "metacortex.run_id": str(run_id),
        "metacortex.attempt": attempt,
        CORRELATION: correlation_id,
    }
    with tracer.start_as_current_span(f"run {actor}", attributes=attributes):
        yield


def _extracted(parent: str | None, state: str | None) -> Any:
    """Return the context that a header names, an empty one without it."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import (
        TraceContextTextMapPropagator,
    )

    carrier = {"traceparent": parent} if parent else {}
    if parent and state:
        carrier["tracestate"] = state
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _header(span: Any) -> str:
    """Return the W3C header that makes others a child of a span."""
    found = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"
