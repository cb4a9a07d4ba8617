"""The development issuer: the production verifier takes its tokens; its key lasts."""

import multiprocessing
import stat
from pathlib import Path
from typing import Any

import jwt
import pytest

from metacortex.api.auth import Caller, Role, Verifier, workspace_of
from metacortex.api.issuer import TTL_S, LocalIssuer
from metacortex.api.keys import StaticKeys
from metacortex.kernel.errors import Unauthenticated

URL = "http://localhost:8000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def issuer(folder: Path) -> LocalIssuer:
    return LocalIssuer(folder, URL)


def verifier(issuer: LocalIssuer, **changes: Any) -> Verifier:
    settings: dict[str, Any] = {
        "issuer": URL,
        "keys": StaticKeys(issuer.jwks()),
        "authorized_parties": [URL],
        "max_lifetime_s": TTL_S,
    }
    return Verifier(**{**settings, **changes})


def test_a_person_of_their_own(issuer: LocalIssuer) -> None:
    caller = verifier(issuer).verify(issuer.token("ada"))
    assert caller.user_id == "user_ada"
    assert caller.workspace_id == workspace_of("user_ada")
    assert caller.role is Role.OWNER
    assert caller.organisation_id is None


@pytest.mark.parametrize("role", Role)
def test_every_role_in_a_workspace(issuer: LocalIssuer, role: Role) -> None:
    caller = verifier(issuer).verify(issuer.token("ada", "Team_1", role))
    assert caller == Caller(
        "user_ada", workspace_of("org_Team_1"), role, caller.session_id, "org_Team_1"
    )


@pytest.mark.parametrize("role", [Role.OWNER, Role.AUDITOR, Role.OPERATOR])
def test_roles_without_a_workspace(issuer: LocalIssuer, role: Role) -> None:
    assert verifier(issuer).verify(issuer.token("ada", role=role)).role is role


def test_a_member_needs_a_workspace(issuer: LocalIssuer) -> None:
    with pytest.raises(ValueError, match="workspace"):
        issuer.token("ada", role=Role.MEMBER)


def test_the_shape_is_clerks(issuer: LocalIssuer) -> None:
    token = issuer.token("ada", "Team", now=1_800_000_000.9, ttl_s=60)
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "JWT" and header["alg"] == "RS256"
    assert header["cat"] == "cl_B7d4PD111AAA"
    assert header["kid"].startswith("ins_local_")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.pop("sid").startswith("sess_")
    assert len(claims.pop("jti")) == 20
    assert claims == {
        "azp": URL,
        "exp": 1_800_000_060,
        "fva": [0, -1],
        "iat": 1_800_000_000,
        "iss": URL,
        "nbf": 1_799_999_990,
        "o": {"id": "org_Team", "slg": "team", "rol": "owner", "per": "", "fpm": ""},
        "sts": "active",
        "sub": "user_ada",
        "v": 2,
    }


def test_production_refuses_its_long_life(issuer: LocalIssuer) -> None:
    strict = verifier(issuer, max_lifetime_s=900)
    assert strict.verify(issuer.token("ada", ttl_s=900))
    with pytest.raises(Unauthenticated):
        strict.verify(issuer.token("ada", ttl_s=901))


@pytest.mark.parametrize("name", ["", "a b", "ada@example.com", "é", "a" * 65, "a\n"])
def test_names_that_cannot_stand_in_an_id(issuer: LocalIssuer, name: str) -> None:
    with pytest.raises(ValueError, match="user name must be"):
        issuer.token(name)
    with pytest.raises(ValueError, match="workspace name must be"):
        issuer.token("ada", name)


@pytest.mark.parametrize("ttl_s", [0, -1])
def test_a_token_must_live(issuer: LocalIssuer, ttl_s: int) -> None:
    with pytest.raises(ValueError, match="one second"):
        issuer.token("ada", ttl_s=ttl_s)


def test_the_key_is_made_at_first_use_and_kept_private(tmp_path: Path) -> None:
    issuer = LocalIssuer(tmp_path / "new", URL)
    assert not (tmp_path / "new").exists()
    first = issuer.jwks()
    (key,) = (tmp_path / "new" / "issuer").iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert LocalIssuer(tmp_path / "new", URL).jwks() == first
    assert set(first["keys"][0]) == {"kty", "use", "alg", "kid", "n", "e"}


def test_a_spoilt_key_is_an_error_not_a_new_key(tmp_path: Path) -> None:
    LocalIssuer(tmp_path, URL).jwks()
    (tmp_path / "issuer" / "key.pem").write_text("spoilt")
    with pytest.raises(ValueError):
        LocalIssuer(tmp_path, URL).jwks()


def key_of(folder: Path) -> dict[str, Any]:
    return LocalIssuer(folder, URL).jwks()


def test_processes_that_race_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        keys = pool.map(key_of, [tmp_path] * 4, chunksize=1)
    assert all(key == keys[0] for key in keys)
    assert [path.name for path in (tmp_path / "issuer").iterdir()] == ["key.pem"]


def test_a_slower_process_takes_the_key_that_is_there(tmp_path: Path) -> None:
    from metacortex.api import issuer

    path = tmp_path / "issuer" / "key.pem"
    issuer._make(path)
    first = path.read_bytes()
    issuer._make(path)
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == ["key.pem"]
