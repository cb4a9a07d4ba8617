"""The settings: where each comes from, and what production refuses."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from metacortex.settings import Settings, load_settings

SAFE = {
    "database_url": "postgresql://metacortex_app:Yh3kPq8sT1vLw0@db/metacortex",
    "token_issuer": "https://clerk.example.com",
    "token_jwks_url": "https://clerk.example.com/.well-known/jwks.json",
    "token_authorized_parties": ["https://app.example.com"],
    "cors_origins": ["https://app.example.com"],
}


REMOTE = "postgresql://u:Yh3kPq8sT1vLw0@db.example.com/x"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in Settings.model_fields.values():
        if isinstance(field.validation_alias, str):
            monkeypatch.delenv(field.validation_alias, raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"METACORTEX_{name.upper()}", raising=False)
    monkeypatch.setenv("METACORTEX_DATA_DIR", str(tmp_path))


def services(folder: Path, **values: str) -> None:
    text = "".join(f"{name}='{value}'\n" for name, value in values.items())
    (folder / "services.env").write_text(text)


def test_overrides_beat_the_environment_beats_the_file_beats_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services(
        tmp_path, METACORTEX_PORT="1", METACORTEX_LANE_COUNT="5", REDIS_URL="redis://x"
    )
    monkeypatch.setenv("METACORTEX_PORT", "2")
    monkeypatch.setenv("METACORTEX_LANE_COUNT", "6")
    settings = load_settings(port=3)
    assert settings.port == 3
    assert settings.lane_count == 6
    assert settings.redis_url == "redis://x"
    assert settings.worker_threads == 4


def test_the_file_is_ignored_when_another_database_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services(tmp_path, ENVIRONMENT="development", DATABASE_URL="postgresql://a/a")
    assert load_settings().environment == "development"
    monkeypatch.setenv("DATABASE_URL", "postgresql://b/b")
    assert load_settings().environment == "production"


def test_the_file_counts_when_the_same_database_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services(tmp_path, ENVIRONMENT="development", DATABASE_URL="postgresql://a/a")
    monkeypatch.setenv("DATABASE_URL", "postgresql://a/a")
    assert load_settings().environment == "development"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_postgres_url_is_for_asyncpg(scheme: str) -> None:
    settings = load_settings(database_url=f"{scheme}://u:p%40@h/d?sslmode=require")
    assert settings.database_url == "postgresql+asyncpg://u:p%40@h/d?ssl=require"


@pytest.mark.parametrize("url", ["mysql://u:hidden@h/d", "hidden", "postgresql://h:p/"])
def test_a_bad_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        load_settings(database_url=url)
    assert "hidden" not in str(refusal.value)


def test_passwords_are_not_shown() -> None:
    assert "Yh3kPq8sT1vLw0" not in repr(load_settings(**SAFE))


def test_every_role_falls_back_to_the_one_database() -> None:
    settings = load_settings(database_url="postgresql://u@h/d")
    assert {
        settings.read_url,
        settings.owner_url,
        settings.projector_url,
        settings.auditor_url,
    } == {settings.database_url}


def test_lists_have_commas_and_empty_means_unset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("METACORTEX_CORS_ORIGINS", "https://a, https://b")
    monkeypatch.setenv("METACORTEX_TOKEN_ISSUER", "")
    assert load_settings().cors_origins == ("https://a", "https://b")
    assert load_settings().token_issuer is None


def test_docs_are_served_everywhere_but_in_production_unless_said() -> None:
    assert not load_settings().serves_docs
    assert load_settings(environment="test").serves_docs
    assert load_settings(docs_enabled=True).serves_docs


def test_the_default_wait_is_within_the_limit() -> None:
    with pytest.raises(ValidationError, match="wait_default_s"):
        load_settings(wait_default_s=11)


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_a_safe_production_has_no_problems() -> None:
    assert load_settings(**SAFE).problems() == []


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"token_issuer": None}, "METACORTEX_TOKEN_ISSUER"),
        ({"token_issuer": "http://clerk.example.com"}, "METACORTEX_TOKEN_ISSUER"),
        ({"token_issuer": "https://localhost:9"}, "METACORTEX_TOKEN_ISSUER"),
        ({"token_issuer": "https://127.0.0.2"}, "METACORTEX_TOKEN_ISSUER"),
        ({"token_issuer": "https://10.0.0.1"}, "METACORTEX_TOKEN_ISSUER"),
        ({"token_issuer": "https://"}, "METACORTEX_TOKEN_ISSUER"),
        (
            {"token_issuer": "https://x.clerk.accounts.dev."},
            "METACORTEX_TOKEN_ISSUER",
        ),
        ({"token_issuer": "https://x-1.clerk.accounts.dev"}, "METACORTEX_TOKEN_ISSUER"),
        ({"token_jwks_url": None}, "METACORTEX_TOKEN_JWKS_URL"),
        ({"token_jwks_url": "http://c.example.com"}, "METACORTEX_TOKEN_JWKS_URL"),
        ({"token_authorized_parties": []}, "METACORTEX_TOKEN_AUTHORIZED_PARTIES"),
        (
            {"token_authorized_parties": ["*"]},
            "METACORTEX_TOKEN_AUTHORIZED_PARTIES",
        ),
        (
            {"token_authorized_parties": ["http://localhost:3000"]},
            "METACORTEX_TOKEN_AUTHORIZED_PARTIES",
        ),
        (
            {"token_allow_missing_party": True},
            "METACORTEX_TOKEN_ALLOW_MISSING_PARTY",
        ),
        ({"cors_origins": ["*"]}, "METACORTEX_CORS_ORIGINS"),
        ({"cors_origins": ["https://app.example.com/"]}, "METACORTEX_CORS_ORIGINS"),
        ({"cors_origins": ["https://*.example.com"]}, "METACORTEX_CORS_ORIGINS"),
        ({"cors_origins": ["https://a@app.example.com"]}, "METACORTEX_CORS_ORIGINS"),
        ({"cors_origins": ["http://app.example.com"]}, "METACORTEX_CORS_ORIGINS"),
        ({"database_url": "postgresql://metacortex_app@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://me:metacortex@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://me:me@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://me:x@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://me:123456@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://me:aaaaaaaaaaaaa@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://me@/x?host=db.example.com"}, "DATABASE_URL"),
        ({"database_url": "postgresql://me@/x?host=/run/a,db"}, "DATABASE_URL"),
        ({"database_owner_url": "postgresql://o:postgres@db/x"}, "DATABASE_OWNER_URL"),
    ],
)
def test_production_names_each_problem_and_its_remedy(
    change: dict[str, Any], remedy: str
) -> None:
    [problem] = load_settings(**{**SAFE, **change}).problems()
    assert remedy in problem
    assert load_settings(**{**SAFE, **change}, environment="test").problems() == []


@pytest.mark.parametrize(
    "origin", ["https://app.example.com", "https://app.example.com:8443"]
)
def test_an_origin_may_have_a_port(origin: str) -> None:
    assert load_settings(**{**SAFE, "cors_origins": [origin]}).problems() == []


def test_production_refuses_a_mistyped_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METACORTEX_RATE_LIMIT", "true")
    monkeypatch.setenv("METACORTEX_SERVICE_HOST", "10.0.0.1")  # Kubernetes makes these
    monkeypatch.setenv("METACORTEX_PORT_8000_TCP", "tcp://10.0.0.1:8000")
    settings = load_settings(**SAFE)
    [problem] = settings.problems()
    assert "METACORTEX_RATE_LIMIT is no setting" in problem
    assert "METACORTEX_RATE_LIMITS." in problem
    assert len(settings.warnings()) == 2
    assert load_settings(**SAFE, environment="test").problems() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"database_url": "postgresql://postgres:Yh3kPq8sT1vLw0@db/x"}, "rewrite"),
        (
            {"database_read_url": f"{REMOTE}?sslmode=disable"},
            "DATABASE_READ_URL turns TLS off",
        ),
        ({"token_jwks_url": "https://keys.example.org/jwks.json"}, "another host"),
    ],
)
def test_production_warns_of_what_is_unwise(change: dict[str, Any], said: str) -> None:
    settings = load_settings(**{**SAFE, **change})
    [warning] = settings.warnings()
    assert said in warning and "Yh3k" not in warning
    assert settings.problems() == []
    assert load_settings(**SAFE).warnings() == []


def test_a_public_key_needs_no_jwks_url() -> None:
    keyed = {**SAFE, "token_jwks_url": None, "token_public_key": "a PEM"}
    assert load_settings(**keyed).problems() == []


def test_a_socket_needs_no_password() -> None:
    socket = {**SAFE, "database_url": "postgresql://u@/d?host=/var/run/postgresql"}
    assert load_settings(**socket).problems() == []


@pytest.mark.parametrize("prefix", ["pk_test_", "pk_live_"])
def test_a_publishable_key_names_its_host(prefix: str) -> None:
    key = prefix + "ZXhhbXBsZS5vcmck"  # example.org$
    found = Settings(clerk_publishable_key=key)
    assert (found.clerk_host, Settings().clerk_host) == ("example.org", None)


@pytest.mark.parametrize(
    ("prefix", "named"),
    [
        ("sk_test_", b"example.org$"),
        ("pk_test_", b"example.org"),
        ("pk_test_", b"example.org; script-src *$"),
        ("pk_live_", b"$"),
        ("pk_live_", b"\xff$"),
    ],
)
def test_no_other_text_is_a_publishable_key(prefix: str, named: bytes) -> None:
    key = prefix + b64encode(named).decode()
    with pytest.raises(ValidationError, match="publishable key of Clerk"):
        Settings(clerk_publishable_key=key)
