"""The command line: what it refuses, and what its last line says."""

import json
from pathlib import Path

import pytest
import typer
from alembic import command
from alembic.config import Config
from typer.testing import CliRunner, Result

from metacortex.cli import app, importing
from metacortex.settings import UnsafeSettings, load_settings
from tests.ground.test_settings import SAFE, bare_environment

ROOT = Path(__file__).parents[2]
TELLS = {"up", "token", "describe", "doctor"}
"""Commands that look at settings, or refuse production in words of their own."""
WORKS = {
    **{name: (name,) for name in ("api", "worker", "scheduler", "migrate")},
    **{name: (name,) for name in ("status", "rebuild")},
    "checklist": ("import", "checklist", "list.md", "--user", "ada"),
}
NOWHERE = "postgresql://metacortex_app@/metacortex?host=/nowhere"

__all__ = ["bare_environment"]  # a fixture that holds here, too


@pytest.fixture(autouse=True)
def folder(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """A folder to work in that nothing knows of, with a check list."""
    (tmp_path / "list.md").write_text("- [ ] one\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(app, arguments, env=environ)


def names(of: typer.Typer) -> set[str]:
    return {
        it.name or str(getattr(it.callback, "__name__", ""))
        for it in of.registered_commands
    }


def test_every_command_is_known_here() -> None:
    assert names(app) | names(importing) == TELLS | set(WORKS)


@pytest.mark.parametrize("arguments", WORKS.values(), ids=WORKS)
def test_production_refuses_unsafe_settings_whatever_runs(
    arguments: tuple[str, ...],
) -> None:
    problems = load_settings().problems()
    assert len(problems) > 2
    said = call(*arguments)
    assert said.exit_code == 1
    assert said.stdout == ""
    lines = said.stderr.splitlines()
    assert lines == ["error: production refuses to start like this:", *problems]


def test_alembic_alone_refuses_too() -> None:
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with pytest.raises(UnsafeSettings, match="METACORTEX_TOKEN_ISSUER"):
        command.upgrade(config, "head")


def test_safe_settings_are_taken() -> None:
    settings = load_settings(**SAFE)
    assert settings.checked() is settings


def test_doctor_and_describe_tell_of_unsafe_settings(folder: Path) -> None:
    said = call("doctor", "--json", DATABASE_URL=NOWHERE)
    assert said.exit_code == 1
    details = {line["detail"] for line in json.loads(said.stdout)}
    assert set(load_settings(database_url=NOWHERE).problems()) <= details
    assert said.stderr.startswith("error: not in order: settings, ")
    assert call("describe", "--json").exit_code == 0


def test_variables_that_cannot_be_read_are_named_without_their_values() -> None:
    said = call("status", METACORTEX_PORT="http", DATABASE_URL="mysql://me:secret@h/d")
    assert said.exit_code == 1
    assert "secret" not in said.output
    assert said.stderr.splitlines() == [
        "error: DATABASE_URL: must begin with postgresql+asyncpg:// or postgresql://",
        "METACORTEX_PORT: Input should be a valid integer, unable to parse string as "
        "an integer",
    ]


@pytest.mark.parametrize("name", ["status", "rebuild", "checklist", "migrate"])
def test_a_database_that_is_away_is_one_line(name: str) -> None:
    said = call(*WORKS[name], ENVIRONMENT="development", DATABASE_URL=NOWHERE)
    assert said.exit_code == 1
    line = said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr
    assert line.startswith("error: the database does not answer (")
    assert "metacortex up" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("rebuild", "nonsense"),
        ("token",),
        ("status", "--yaml"),
        ("up", "--port", "99999"),
        ("import", "list"),
    ],
)
def test_wrong_arguments_are_named_and_exit_2(arguments: tuple[str, ...]) -> None:
    said = call(*arguments)
    assert said.exit_code == 2
    assert said.stdout == ""
    assert "Usage: " in said.stderr


def test_a_list_that_is_not_there_is_named(folder: Path) -> None:
    said = call("import", "checklist", "no.md", "--user", "ada")
    assert said.exit_code == 1
    assert said.stderr.startswith("error: no.md cannot be read: ")


def test_a_token_is_data_for_people_and_for_programs(folder: Path) -> None:
    development = {"ENVIRONMENT": "development"}
    plain = call("token", "--user", "ada", **development)
    assert plain.stdout.count(".") == 2
    found = json.loads(call("token", "--user", "ada", "--json", **development).stdout)
    assert found["token"].count(".") == 2
    assert found["expires_in"] == 12 * 3600
    refused = call("token", "--user", "ada")
    assert refused.exit_code == 1
    assert "set ENVIRONMENT=development" in refused.stderr
