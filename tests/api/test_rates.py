"""Rate limits: a moving window, shared by processes, and alone where Redis is away."""

import re

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from metacortex.api.rates import FAILURES, QUERIES, QUOTAS, WINDOW_S, Rates
from metacortex.kernel.errors import RateLimited

LEFT = re.compile(rb'"queries";r=([0-9]+);t=([0-9]+)')


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0  # the beginning of a window

    def __call__(self) -> float:
        """Return epoch seconds."""
        return self.now


def rates(clock: Clock, redis: Redis | None = None, amount: int = 10) -> Rates:
    """Return limits of one amount for everything."""
    away = Redis.from_url("redis://127.0.0.1:1/0")
    return Rates(dict.fromkeys(QUOTAS, amount), redis or away, clock)


def spend(found: Rates, user: str, times: int) -> int:
    """Ask so many times; return how many were let in."""
    window, let_in = found.window(QUERIES, user), 0
    for _ in range(times):
        try:
            window.take(1, found.clock())
        except RateLimited:
            continue
        let_in += 1
    return let_in


def test_a_window_takes_its_amount_and_no_more() -> None:
    found = rates(Clock())
    assert spend(found, "a", 15) == 10
    assert spend(found, "b", 15) == 10  # one user's share is no other's


def test_the_window_moves(hours: int = 2) -> None:
    clock = Clock()
    found = rates(clock, amount=60)
    let_in = []
    for _ in range(hours * 3_600 // 5):
        clock.now += 5
        let_in.append(spend(found, "a", 100))
    of_a_minute = [sum(let_in[at : at + 12]) for at in range(len(let_in) - 12)]
    assert max(of_a_minute) <= 2 * 60 and sum(let_in) <= 60 * (hours * 60 + 2)


@pytest.mark.parametrize("spent_at", [0, 12.5, 59])
def test_after_the_time_that_it_says_there_is_room(spent_at: float) -> None:
    clock = Clock()
    found = rates(clock)
    clock.now += spent_at
    spend(found, "a", 10)
    window = found.window(QUERIES, "a")
    with pytest.raises(RateLimited) as refused:
        window.take(1, clock.now)
    wait_s = refused.value.meta["retry_after_s"]
    assert 1 <= wait_s <= 2 * WINDOW_S
    clock.now += wait_s
    window.take(1, clock.now)


def test_what_has_been_done_counts_beyond_the_amount() -> None:
    clock = Clock()
    found = rates(clock)
    window = found.window(QUERIES, "a")
    window.take(1, clock.now)
    window.add(25)
    assert spend(found, "a", 1) == 0
    clock.now += 2 * WINDOW_S  # however much it was
    assert spend(found, "a", 1) == 1


def test_the_headers_say_what_is_left() -> None:
    found = rates(clock := Clock())
    clock.now += 12
    spend(found, "a", 3)
    window = found.window(QUERIES, "a")
    assert window.quota.policy == b'"queries";q=10;w=60'
    assert window.left() == b'"queries";r=7;t=48'
    spend(found, "a", 10)
    told = LEFT.fullmatch(window.left())
    assert told is not None and told[1] == b"0" and int(told[2]) >= 48


def test_an_address_is_limited_by_its_network() -> None:
    found = rates(Clock(), amount=2)
    found.failed("2001:db8::1")
    found.failed("2001:db8::2")
    with pytest.raises(RateLimited) as refused:
        found.failed("2001:db8::3")
    assert refused.value.meta["limit_of"] == FAILURES
    found.failed("192.0.2.1")
    found.failed(None)


async def test_processes_share_what_they_count(redis_url: str) -> None:
    clock = Clock()
    async with Redis.from_url(redis_url) as redis:
        one, other = rates(clock, redis), rates(clock, redis)
        assert spend(one, "shared", 6) == 6
        assert await one.sync()
        assert spend(other, "shared", 1) == 1  # it does not know yet
        assert await other.sync()
        assert spend(other, "shared", 9) == 3  # 6 + 1 + 3
        assert await other.sync() and not other.dirty
        assert spend(one, "shared", 1) == 1 and await one.sync()
        assert spend(one, "shared", 1) == 0
        clock.now += WINDOW_S + 1  # one of another process begins with what was before
        third = rates(clock, redis)
        assert spend(third, "shared", 1) == 1 and await third.sync()
        assert third.window(QUERIES, "shared").before == 11


async def test_without_redis_each_process_counts_alone() -> None:
    found = rates(Clock())
    assert spend(found, "a", 3) == 3
    assert not await found.sync()
    assert REGISTRY.get_sample_value("metacortex_rate_limits_shared") == 0
    assert spend(found, "a", 15) == 7
    assert found.window(QUERIES, "a").pending == 10  # told when it is back


async def test_what_waited_for_redis_is_told_when_it_is_back(redis_url: str) -> None:
    found = rates(Clock())
    spend(found, "waits", 4)
    assert not await found.sync()
    async with Redis.from_url(redis_url) as redis:
        found._redis = redis
        assert await found.sync()
        window = found.window(QUERIES, "waits")
        assert (window.current, window.pending, found.dirty) == (4, 0, set())
    assert REGISTRY.get_sample_value("metacortex_rate_limits_shared") == 1
