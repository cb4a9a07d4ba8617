"""What the server bounds before the application sees a request, byte by byte."""

import time
from collections.abc import Iterator

import pytest

from metacortex.kernel.http_limits import HEADER_BYTES, HEADER_LINES, TARGET_BYTES
from metacortex.settings import Settings
from metacortex.workers import Worker
from tests.http.conftest import Live, listen
from tests.http.raw import PATIENCE_S, Wire

GET = ("GET /health/live HTTP/1.1", "Host: here")
POST = ("POST /api/v1/tasks HTTP/1.1", "Host: here", "Content-Type: application/json")


@pytest.fixture(scope="module")
def strict(settings: Settings, worker: Worker) -> Iterator[Live]:
    """A server in a hurry."""
    served = listen(
        settings.model_copy(
            update={
                "head_timeout_s": 1.0,
                "body_timeout_s": 2.0,
                "idle_timeout_s": 2.0,
            }
        )
    )
    yield served
    served.stop()


@pytest.fixture(scope="module")
def few(settings: Settings, worker: Worker) -> Iterator[Live]:
    """A server that takes four connections, and counts those of this machine."""
    served = listen(
        settings.model_copy(
            update={
                "connection_limit": 12,
                "connection_limit_per_address": 4,
                "limit_near_connections": True,
            }
        )
    )
    yield served
    served.stop()


def test_a_plain_request_is_answered(live: Live) -> None:
    with Wire(live.url) as wire:
        for _ in range(2):
            wire.send(*GET, "")
            assert wire.answer().status == 200


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        (["X-A: 1"] * (HEADER_LINES + 1), 431, "headers_too_large"),
        (["X-A: " + "a" * HEADER_BYTES], 431, "headers_too_large"),
        ([f"X-{n}: " + "a" * 14_000 for n in range(5)], 431, "headers_too_large"),
        (["Host: there"], 400, "bad_request"),
        (["Transfer-Encoding: gzip, chunked"], 400, "bad_request"),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: x"], 400, "bad_request"),
        (["Content-Length: 1000000000000000"], 400, "bad_request"),
        (["Content-Length: 1", "Content-Length: 2"], 400, "bad_request"),
        (["Not a header"], 400, "bad_request"),
    ],
)
def test_heads_beyond_a_limit_are_refused(
    live: Live, lines: list[str], status: int, code: str
) -> None:
    with Wire(live.url) as wire:
        wire.send(*GET, *lines, "")
        answer = wire.answer()
        assert (answer.status, answer.code) == (status, code)
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-correlation-id"]
        assert answer.json["meta"]["request_id"] == answer.headers["x-request-id"]
        assert wire.hung_up()


def test_a_request_without_a_host_is_refused(live: Live) -> None:
    with Wire(live.url) as wire:
        wire.send(GET[0], "")
        assert wire.answer().status == 400
    with Wire(live.url) as wire:
        wire.send("GET /health/live HTTP/1.0", "")  # which knows no Host
        assert wire.answer().status == 200


@pytest.mark.parametrize("beyond", ["/", "/?"])
def test_long_targets_are_refused(live: Live, beyond: str) -> None:
    with Wire(live.url) as wire:
        wire.send(f"GET {beyond}{'a' * TARGET_BYTES} HTTP/1.1", "Host: here", "")
        answer = wire.answer()
        assert (answer.status, answer.code) == (414, "target_too_long")


def test_an_unfinished_head_is_not_kept(live: Live) -> None:
    with Wire(live.url) as wire:
        wire.send(*GET)
        wire.send_bytes(b"X-A: ")
        with pytest.raises(OSError):
            for _ in range(200):  # 12 MB at 64 kB each: refused long before
                wire.send_bytes(b"a" * 65_536)
                time.sleep(0.002)
    with Wire(live.url) as wire:
        wire.send_bytes(b"GET /" + b"a" * 200_000)
        assert wire.answer().status == 414


def test_a_client_that_still_sends_gets_the_answer(live: Live, token: str) -> None:
    with Wire(live.url) as wire:
        bearer = f"Authorization: Bearer {token}"
        wire.send(*POST, bearer, "Content-Length: 3000000", "")
        for _ in range(30):
            wire.send_bytes(b" " * 100_000)
        answer = wire.answer()
        assert (answer.status, answer.code) == (413, "body_too_large")
        assert answer.headers["connection"] == "close"
        assert wire.hung_up()


def test_who_sends_without_end_is_cut_off(live: Live, token: str) -> None:
    with Wire(live.url) as wire:
        bearer = f"Authorization: Bearer {token}"
        wire.send(*POST, bearer, "Content-Length: 999999999", "")
        with pytest.raises(OSError):
            for _ in range(200):
                wire.send_bytes(b" " * 100_000)


def test_an_early_answer_keeps_the_connection_if_the_body_ends(live: Live) -> None:
    with Wire(live.url) as wire:
        wire.send(*POST, "Content-Length: 200000", "")
        wire.send_bytes(b" " * 100_000)
        assert wire.answer().status == 401
        wire.send_bytes(b" " * 100_000)
        wire.send(*GET, "")
        assert wire.answer().status == 200


def test_slow_heads_and_bodies_are_ended(strict: Live, token: str) -> None:
    with Wire(strict.url) as silent, Wire(strict.url) as head, Wire(strict.url) as body:
        head.send(GET[0])
        bearer = f"Authorization: Bearer {token}"
        body.send(*POST, bearer, "Content-Length: 100", "")
        assert silent.hung_up()
        assert head.answer().code == "request_too_slow"
        answer = body.answer()
        assert (answer.status, answer.code) == (408, "request_too_slow")


def test_idle_connections_end(strict: Live) -> None:
    with Wire(strict.url) as wire:
        began = time.monotonic()
        wire.send(*GET, "")
        assert wire.answer().status == 200
        assert wire.hung_up()
        assert time.monotonic() - began > 1.5


def test_one_address_has_so_many_connections(few: Live) -> None:
    wires = [Wire(few.url) for _ in range(4)]
    for wire in wires:
        wire.send(*GET, "")
        assert wire.answer().status == 200
    with Wire(few.url) as beyond:
        answer = beyond.answer()
        assert (answer.status, answer.code) == (503, "too_many_connections")
        assert answer.headers["retry-after"] == "1"
        assert beyond.hung_up()
    for wire in wires:
        wire.__exit__()
    until = time.monotonic() + PATIENCE_S
    while not accepted(few):  # the server has yet to notice that they are gone
        assert time.monotonic() < until
        time.sleep(0.1)


def accepted(live: Live) -> bool:
    with Wire(live.url) as wire:
        wire.send(*GET, "")
        return wire.answer().status == 200


def test_connections_of_this_machine_are_not_counted(live: Live) -> None:
    wires = [Wire(live.url) for _ in range(120)]
    for wire in wires:
        wire.send(*GET, "")
    assert {wire.answer().status for wire in wires} == {200}
    for wire in wires:
        wire.__exit__()


def test_pipelined_requests_are_answered_in_order_and_not_without_end(
    live: Live,
) -> None:
    with Wire(live.url) as wire:
        wire.send(*(GET[0], GET[1], "") * 10)
        assert [wire.answer().status for _ in range(10)] == [200] * 10
    with Wire(live.url) as wire:
        wire.send(*(GET[0], GET[1], "") * 1_000)
        assert 1 <= wire.answers() < 100
