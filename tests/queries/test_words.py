"""What is typed finds what is written, in any script, and nothing typed is an error."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.queries import words

FOUND = text(f"SELECT {words.vector(':text')} @@ to_tsquery('simple', :query)")
PARSED = text(
    "SELECT to_tsquery('simple', :ours)::text, websearch_to_tsquery('simple', :q)::text"
)


async def finds(database: AsyncEngine, q: str, written: str) -> bool:
    """Tell whether a query finds a text."""
    async with database.connect() as connection:
        values = {"text": written, "query": words.query(q)}
        return bool(await connection.scalar(FOUND, values))


@pytest.mark.parametrize(
    ("q", "written"),
    [
        ("mil", "Buy oat milk"),
        ("oat mil", "Buy oat milk"),
        ("cow or mil", "Buy oat milk"),
        ("milk or", "milk organised"),
        ("Q3/Q", "plan Q3/Q4"),
        ("Q3/Q4", "plan Q3/Q4"),
        ("foo-ba", "the foo-bar"),
        ("don't", "I don't know"),
        ('"oat milk"', "Buy oat milk"),
        ("milk -cow", "Buy oat milk"),
        ("日本", "私は日本語を話す"),
        ("本語", "私は日本語を話す"),
        ("日本語", "私は日本語を話す"),
        ("語", "私は日本語を話す"),
        ("す", "私は日本語を話す"),
        ("私", "私"),
        ("牛奶", "去超市买牛奶和面包"),
        ("面包 牛奶", "去超市买牛奶和面包"),
        ('"买牛奶"', "去超市买牛奶和面包"),
        ("한국어", "한국어를 배우다"),
        ("국어", "한국어를 배우다"),
        ("배우", "한국어를 배우다"),
        ("カタカナ", "ひらがなとカタカナー"),
        ("ﾃｽﾄ", "これはﾃｽﾄです"),
        ("東京Tow", "新東京Tower行き"),
        ("Tokyo東京", "visit Tokyo東京都"),
        ('"本語 foo"', "日本語 foo bar"),
        ('"語 foo"', "日本語 foo bar"),
        ('"foo 日"', "foo 日本語"),
        ('"foo 日 bar"', "a foo 日 bar b"),
        ("𠮷野家", "明日は𠮷野家へ"),
    ],
)
async def test_it_is_found(writes: AsyncEngine, q: str, written: str) -> None:
    assert await finds(writes, q, written), words.query(q)


@pytest.mark.parametrize(
    ("q", "written"),
    [
        ("ilk", "Buy oat milk"),
        ("mil oat", "Buy oat milk"),
        ('"oat mil"', "Buy oat milk"),
        ("-mil", "buy mil"),
        ("日語", "私は日本語を話す"),
        ('"牛奶买"', "去超市买牛奶和面包"),
        ("-牛奶 面包", "去超市买牛奶和面包"),
        ("東京Row", "新東京Tower行き"),
        ("本日", "日本"),
        ('"日本foo"', "日本語 foo"),
        ("", "anything"),
        ('""', "anything"),
        ("'", "anything"),
    ],
)
async def test_it_is_not_found(writes: AsyncEngine, q: str, written: str) -> None:
    assert not await finds(writes, q, written), words.query(q)


async def test_what_is_excluded_is_excluded_whole(writes: AsyncEngine) -> None:
    assert await finds(writes, "buy -mil", "buy milk")
    assert not await finds(writes, "buy -milk", "buy milk")


WORDS = some.sampled_from(["a", "bc", "d-e", "OR", '"f g"', "-h", '-"i j"', "k.l"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some.lists(WORDS, min_size=1, max_size=6))
async def test_it_is_read_as_web_search_reads_it(
    writes: AsyncEngine, typed: list[str]
) -> None:
    q = " ".join(["z", *typed, '"end"'])  # quoted: then no word goes on
    async with writes.connect() as connection:
        row = (await connection.execute(PARSED, {"ours": words.query(q), "q": q})).one()
    if "OR OR" not in q:  # there we take the second for a word, Postgres neither
        assert row[0] == row[1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    some.text(
        some.one_of(
            some.sampled_from("\"'\\-&|!():*<> orOR日本語ア한.,/@"),
            some.characters(exclude_characters="\x00", exclude_categories=["Cs"]),
        ),
        max_size=40,
    )
)
async def test_nothing_typed_is_an_error(writes: AsyncEngine, q: str) -> None:
    assert await finds(writes, q, "日本語 or a\\b 'c'") in (True, False)
