"""The issuer's keys: what is taken, and how a bad issuer is survived."""

import asyncio
import base64
import json
import math
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from metacortex.api.keys import (
    MAX_JWKS,
    STALE_S,
    JwksKeys,
    StaticKeys,
    fetch,
    read_jwks,
    read_pem,
)
from metacortex.kernel.errors import Unavailable
from tests.shared import vectors

HANG_S = 60  # only there to end a hang
TOKENS = vectors("clerk/tokens.json")
KEY = TOKENS["mockJwks"]["keys"][0]
KID = KEY["kid"]
NEW = {**KEY, "kid": "new"}
WEAK_N = "t6Q8PWSi1dkJj9hTP8hNYFlvadM7DflW9mWepOJhJ66w7nyoK1gPNqFMSQRy"


# What is taken


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"key_ops": ["sign"]},
        {"kid": None},
        {"d": "AQAB"},
        {"e": "Aw"},
        {"n": WEAK_N},
        {"n": "not base64!"},
        {"n": 5},
    ],
    ids=repr,
)
def test_a_key_that_cannot_verify_session_tokens(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        StaticKeys({"keys": [{**KEY, **change}]})


def roca_modulus() -> str:
    """A modulus of the form that a flawed library made: 65537^n plus a multiple."""
    primes = [it for it in range(3, 168) if all(it % d for d in range(2, it))]
    product = math.prod(primes)
    found = pow(65537, 123_457, product) + product * (1 << (2_048 - 217))
    found += product * (1 - found % 2)  # odd, as a product of primes is
    assert found.bit_length() >= 2_048
    raw = found.to_bytes((found.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_key_that_can_be_factored_is_not_taken() -> None:
    with pytest.raises(ValueError, match="no key of the JWKS"):
        read_jwks({"keys": [{**KEY, "n": roca_modulus()}]})


@pytest.mark.parametrize(
    "document",
    [{}, [], None, {"keys": {}}, {"keys": []}, {"keys": [1]}, {"keys": [KEY, KEY]}]
    + [{"keys": [{**KEY, "kid": str(number)} for number in range(17)]}],
)
def test_a_document_that_is_no_jwks(document: Any) -> None:
    with pytest.raises(ValueError):
        read_jwks(document)


def test_other_keys_beside_a_good_one_are_passed_over() -> None:
    others = [{"kty": "EC", "kid": "ec"}, {**KEY, "kid": "weak", "n": WEAK_N}, 7]
    assert list(read_jwks({"keys": [*others, KEY]})) == [KID]


def test_a_jwks_answers_by_key_id() -> None:
    keys = StaticKeys(TOKENS["mockJwks"])
    assert keys.find(KID) == read_pem(TOKENS["pemEncodedPublicKey"])
    assert keys.find("other") is None


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN PUBLIC KEY-----", KEY["n"]])
def test_a_text_that_is_no_key(text: str) -> None:
    with pytest.raises(ValueError):
        read_pem(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://clerk.example.com/jwks.json",
        "http://127.0.0.1.example.com/",
        "file:///etc/passwd",
        "ftp://localhost/keys",
        "https:///keys",
        "keys.json",
    ],
)
def test_keys_come_over_https_or_from_this_machine(url: str) -> None:
    with pytest.raises(ValueError):
        JwksKeys(url)


# A real server, which answers as the test wants

Answer = tuple[int, dict[str, str], bytes]


class Issuer:
    """Serves `answer` on loopback and counts how often it is asked."""

    def __init__(self) -> None:
        self.answer: Answer = (200, {}, json.dumps(TOKENS["mockJwks"]).encode())
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                issuer.may_answer.wait(HANG_S)
                status, headers, body = issuer.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks.json"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_keys_are_there_once_started(issuer: Issuer) -> None:
    keys = JwksKeys(issuer.url)
    await keys.start()
    assert keys.find(KID) is not None
    await keys.stop()
    assert keys.find(KID) is not None


async def test_nothing_is_known_before_the_first_good_answer(issuer: Issuer) -> None:
    good = issuer.answer
    issuer.answer = (503, {}, b"")
    keys = JwksKeys(issuer.url, cooldown_s=0.01)
    await keys.start()
    with pytest.raises(Unavailable):
        keys.find(KID)
    issuer.answer = good
    await until(lambda: keys.age_s is not None)
    assert keys.find(KID) is not None
    await keys.stop()


async def test_a_new_key_arrives_without_being_asked_for(issuer: Issuer) -> None:
    keys = JwksKeys(issuer.url, refresh_s=0.01, cooldown_s=0.01)
    await keys.start()
    issuer.answer = (200, {}, json.dumps({"keys": [NEW]}).encode())
    await until(lambda: keys.find("new") is not None)
    assert keys.find(KID) is None
    await keys.stop()


async def test_an_unknown_key_id_wakes_the_refresh(issuer: Issuer) -> None:
    keys = JwksKeys(issuer.url, cooldown_s=0.01)
    await keys.start()
    both = {"keys": [KEY, NEW]}
    issuer.answer = (200, {}, json.dumps(both).encode())
    await until(lambda: keys.find("new") is not None)
    await keys.stop()


async def test_forged_key_ids_cause_one_fetch_a_cooldown(issuer: Issuer) -> None:
    keys = JwksKeys(issuer.url, cooldown_s=2)
    await keys.start()
    for number in range(1000):
        assert keys.find(f"forged-{number}") is None
    await asyncio.sleep(0.1)
    assert issuer.asked == 1
    await until(lambda: issuer.asked == 2)
    await keys.stop()


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        (404, {}, b"{}"),
        (200, {}, b"<html>maintenance</html>"),
        (200, {}, b"[" * 5000),
        (200, {}, b'{"keys": []}'),
        (200, {}, json.dumps({"keys": [NEW]}).encode() + b" " * MAX_JWKS),
        (302, {"Location": "/other"}, b""),
    ],
    ids=lambda answer: f"{answer[0]} {answer[2][:9]!r}",
)
async def test_a_bad_answer_leaves_the_keys_alone(
    issuer: Issuer, answer: Answer
) -> None:
    keys = JwksKeys(issuer.url, refresh_s=0.01, cooldown_s=0.01)
    await keys.start()
    before = issuer.asked
    issuer.answer = answer
    await until(lambda: issuer.asked > before + 2)
    assert keys.find(KID) is not None
    await keys.stop()


async def test_a_dead_issuer_leaves_the_keys_alone_for_a_day(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = JwksKeys(issuer.url)
    await keys.start()
    await keys.stop()
    assert keys.find(KID) is not None
    monkeypatch.setattr(keys, "_loaded_at", (keys._loaded_at or 0) - STALE_S)
    with pytest.raises(Unavailable) as caught:
        keys.find(KID)
    assert caught.value.code == "keys_unavailable"


async def test_a_slow_issuer_does_not_hold_up_the_loop(issuer: Issuer) -> None:
    issuer.may_answer.clear()
    keys = JwksKeys(issuer.url)
    start = asyncio.create_task(keys.start())
    await until(lambda: issuer.asked > 0)  # the loop goes on while it waits
    assert not start.done()
    issuer.may_answer.set()
    await start
    assert keys.find(KID) is not None
    await keys.stop()


@pytest.mark.parametrize("passes", range(6))
async def test_a_task_that_was_just_woken_still_stops(
    issuer: Issuer, passes: int
) -> None:
    keys = JwksKeys(issuer.url, cooldown_s=0)
    await keys.start()
    await asyncio.sleep(0.01)
    keys.find("forged")
    for _ in range(passes):
        await asyncio.sleep(0)
    before = issuer.asked
    async with asyncio.timeout(HANG_S):
        await keys.stop()
    assert issuer.asked <= before + 1


def test_redirects_are_not_followed(issuer: Issuer) -> None:
    issuer.answer = (302, {"Location": "/other"}, b"")
    with pytest.raises(OSError):
        fetch(issuer.url)
    assert issuer.asked == 1
