"""Every limit of the service: what it bounds, why at this value, and how it is told.

`docs/limits.md` is made from this table (`python -m metacortex.reference`). A value is
that of the constant which the code uses, or the default of a setting; it is written
nowhere a second time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metacortex.api import (
    auth,
    commands,
    connections,
    feeds,
    json_bodies,
    pages,
    parsing,
    protocol,
    rates,
    streams,
)
from metacortex.commands import budget
from metacortex.commands.tasks import commands as tasks
from metacortex.kernel import http_limits
from metacortex.kernel.database import STATEMENT_S
from metacortex.queries import bus, page, past


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit; its value is a constant's, or the default of a setting.

    `code` is that of the error beyond it, None where nothing is refused (`beyond` says
    what happens then). `header` tells a client where it stands, or when to come back.
    """

    of: str
    unit: str
    reason: str
    value: int | float | None = None
    setting: str | None = None
    code: str | None = None
    beyond: str = ""
    header: str | None = None


REQUESTS = (
    Limit(
        of="Header lines of a request",
        value=http_limits.HEADER_LINES,
        unit="lines",
        code="headers_too_large",
        reason="Browsers send some 20; each line costs memory and a look-up.",
    ),
    Limit(
        of="One header, name and value",
        value=http_limits.HEADER_BYTES,
        unit="bytes",
        code="headers_too_large",
        reason="Twice the longest token that is taken.",
    ),
    Limit(
        of="All headers together",
        value=http_limits.HEADERS_BYTES,
        unit="bytes",
        code="headers_too_large",
        reason="What a process holds for each connection that has sent no request yet.",
    ),
    Limit(
        of="Target: path and query",
        value=http_limits.TARGET_BYTES,
        unit="bytes",
        code="target_too_long",
        reason="The least that RFC 9110 asks servers to take.",
    ),
    Limit(
        of="Request body",
        setting="body_limit_bytes",
        unit="bytes",
        code="body_too_large",
        reason="A batch of 100 commands with the longest texts fits.",
    ),
    Limit(
        of="Depth of arrays and objects in a body",
        value=json_bodies.DEPTH_LIMIT,
        unit="levels",
        code="too_deep",
        reason="Ours stand six deep; each level is a call of the parser.",
    ),
    Limit(
        of="Members of an object in a body",
        value=json_bodies.MEMBERS_LIMIT,
        unit="members",
        code="too_many_fields",
        reason="Ours have some 20; each unknown one is an error to tell.",
    ),
    Limit(
        of="Errors told of a request",
        value=parsing.TOLD,
        unit="errors",
        beyond="`meta.more`",
        reason="More help nobody, and an answer could grow without end.",
    ),
    Limit(
        of="Token",
        value=auth.MAX_TOKEN,
        unit="characters",
        code="token_invalid",
        reason="Clerk keeps tokens below 4 kB, so that they fit a cookie.",
    ),
    Limit(
        of="Idempotency key",
        value=parsing.KEY_LIMIT,
        unit="characters",
        code="invalid_header",
        reason="Longer than any UUID or hash.",
    ),
)

CONNECTIONS = (
    Limit(
        of="Time for the headers of a request",
        setting="head_timeout_s",
        unit="seconds",
        code="request_too_slow",
        reason="A head is a packet or two; who sends it slowly holds a connection.",
    ),
    Limit(
        of="Time for a body",
        setting="body_timeout_s",
        unit="seconds",
        code="request_too_slow",
        reason="The largest one passes at 35 kB/s.",
    ),
    Limit(
        of="Least rate of a body, after five seconds",
        setting="body_min_rate",
        unit="bytes/s",
        code="request_too_slow",
        reason="Slower than any modem; a packet lost and sent again is forgiven.",
    ),
    Limit(
        of="Time without a request",
        setting="idle_timeout_s",
        unit="seconds",
        beyond="closed",
        reason="Longer than the minute of common proxies, which must close first.",
    ),
    Limit(
        of="Time in which a client takes nothing of its answer",
        value=connections.STALL_S,
        unit="seconds",
        beyond="closed",
        reason="As long as it may take to send; the answer is memory meanwhile.",
    ),
    Limit(
        of="Connections of a process",
        setting="connection_limit",
        unit="connections",
        code="too_many_connections",
        header="Retry-After",
        reason="Below the 1,024 files that a process may open by default.",
    ),
    Limit(
        of="Connections of an address",
        setting="connection_limit_per_address",
        unit="connections",
        code="too_many_connections",
        header="Retry-After",
        reason="A tenth of all; a browser opens six. Not for this machine and trusted "
        "proxies.",
    ),
    Limit(
        of="Requests that wait for those before on their connection",
        value=connections.PIPELINE_LIMIT,
        unit="requests",
        beyond="closed, once those are answered",
        reason="Each waits in memory; browsers do not do so at all.",
    ),
    Limit(
        of="What is read and dropped after an early answer",
        value=connections.LINGER_BYTES,
        unit="bytes",
        beyond="closed",
        reason="Four times the largest body; a reset would overtake the answer.",
    ),
    Limit(
        of="How long that is done",
        value=connections.LINGER_S,
        unit="seconds",
        beyond="closed",
        reason="Some round trips to the other side of the earth.",
    ),
    Limit(
        of="Digits of a Content-Length",
        value=protocol.LENGTH_DIGITS,
        unit="digits",
        code="bad_request",
        reason="A petabyte, and exact in every language's numbers.",
    ),
    Limit(
        of="User agent, and Metacortex-Client, as stored",
        value=parsing.HEADER_LIMIT,
        unit="characters",
        beyond="cut off",
        reason="They stand in every event of a request, for ever.",
    ),
)

COMMANDS = (
    Limit(
        of="Commands of a batch",
        value=commands.BATCH_LIMIT,
        unit="commands",
        code="invalid_field",
        reason="As Todoist has it; one transaction decides them all.",
    ),
    Limit(
        of="Events of a command",
        value=budget.COMMAND_EVENTS,
        unit="events",
        code="too_much_at_once",
        reason="Half a second of deciding; the trees that people make are far smaller.",
    ),
    Limit(
        of="Events of a request, of all its commands together",
        value=budget.REQUEST_EVENTS,
        unit="events",
        code="too_much_at_once",
        reason="Two of the largest commands; they take 100 MB while they are decided.",
    ),
    Limit(
        of="Tasks that one command looks at",
        value=budget.FOUND_LIMIT,
        unit="tasks",
        code="too_much_at_once",
        reason="As many as a request has events; loaded, they take 60 MB.",
    ),
    Limit(
        of="Depth of a tree of tasks",
        value=tasks.DEPTH_LIMIT,
        unit="levels",
        code="depth_exceeded",
        reason="Look-ups of ancestors cost a step for each level.",
    ),
    Limit(
        of="Tags of a task",
        value=tasks.TAG_LIMIT,
        unit="tags",
        code="too_many_tags",
        reason="They are stored and shown with the task.",
    ),
    Limit(
        of="Commands that wait in a lane",
        setting="lane_capacity",
        unit="commands",
        code="overloaded",
        header="Retry-After",
        reason="About a second of work: longer waits help nobody.",
    ),
)

QUERIES = (
    Limit(
        of="Rows of a page",
        value=page.PER_PAGE_LIMIT,
        unit="rows",
        code="invalid_parameter",
        reason="Beyond it, a page costs more than two requests.",
    ),
    Limit(
        of="Cursor of a page",
        value=pages.CURSOR_LIMIT,
        unit="characters",
        code="invalid_parameter",
        reason="Half of the longest target; those of ours have some hundred.",
    ),
    Limit(
        of="Events of one answer of the change feed",
        value=feeds.CHANGES_LIMIT,
        unit="events",
        code="invalid_parameter",
        reason="Some 500 kB of rows; `next_since` goes on.",
    ),
    Limit(
        of="Events that a query of the past folds",
        value=past.EVENTS_LIMIT,
        unit="events",
        code="too_many_events",
        reason="A second of reading and folding.",
    ),
    Limit(
        of="Connections that reads of a workspace hold at a time, of a process",
        value=bus.FAIR_SHARE,
        unit="of the pool",
        beyond="they wait for each other",
        reason="Slow queries of two workspaces leave some to all others.",
    ),
    Limit(
        of="Time of a statement",
        value=STATEMENT_S,
        unit="seconds",
        code="query_timeout",
        header="Retry-After",
        reason="Nobody waits longer for a list, and no connection is held longer.",
    ),
    Limit(
        of="Wait for a sequence",
        setting="wait_limit_s",
        unit="seconds",
        code="read_model_lagging",
        header="Retry-After",
        reason="Longer than projections lag when they are well.",
    ),
    Limit(
        of="Life of a stream",
        value=streams.LIFETIME_S,
        unit="seconds",
        beyond="`event: reconnect`",
        reason="Releases are not forgotten. It ends earlier if its token does.",
    ),
    Limit(
        of="Streams that a user has open at a process",
        value=streams.USER_STREAMS,
        unit="streams",
        code="too_many_streams",
        header="Retry-After",
        reason="One for each open page; each is a task and a connection.",
    ),
)


def _rate(setting: str, of: str, unit: str, reason: str) -> Limit:
    return Limit(
        of=of,
        setting=setting,
        unit=f"{unit} in {rates.WINDOW_S} s",
        code="rate_limited",
        header="RateLimit",
        reason=reason,
    )


RATES = (
    _rate(
        "rate_commands",
        "Commands of a user, by the events that they append",
        "events",
        "A tenth of what one process appends when all of it is one user's.",
    ),
    _rate(
        "rate_queries",
        "Queries of a user",
        "queries",
        "A hundred a second: many devices that follow every change.",
    ),
    _rate(
        "rate_searches",
        f"Searches of a user, {rates.COSTS[rates.SEARCHES]} each",
        "units",
        "Five a second: typing, with a search for each letter.",
    ),
    _rate(
        "rate_exports",
        "Exports of a user",
        "exports",
        "Each reads the whole log of a workspace.",
    ),
    _rate(
        "rate_streams",
        "Streams that a user opens",
        "streams",
        "Clients reconnect after three seconds; one of them opens 20.",
    ),
    _rate(
        "rate_failed_attempts",
        "Requests of an address with a bad token, or none",
        "requests",
        "Browsers of an office whose tokens have run out; it costs 50 µs each.",
    ),
)

SECTIONS: Mapping[str, Sequence[Limit]] = {
    "Requests": REQUESTS,
    "Connections": CONNECTIONS,
    "Rates": RATES,
    "Commands": COMMANDS,
    "Queries and streams": QUERIES,
}
"""By heading of the page, in its order."""
