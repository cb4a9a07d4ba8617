"""The command line: what it refuses, and what its last line says."""

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from alembic import command
from alembic.config import Config
from typer.testing import CliRunner, Result

from metacortex.cli import app
from metacortex.cli.audit import auditing
from metacortex.cli.imports import importing
from metacortex.console import anticipated
from metacortex.settings import UnsafeSettings, load_settings
from tests.cli.test_settings import SAFE, bare_environment

ROOT = Path(__file__).parents[2]
TELLS = {"up", "token", "describe", "doctor", "openapi"}
"""Commands that look at settings, or refuse production in words of their own."""
WORKS = {
    **{name: (name,) for name in ("api", "worker", "scheduler", "migrate")},
    **{name: (name,) for name in ("status", "rebuild")},
    "check": ("audit", "check"),
    "checklist": ("import", "checklist", "list.md", "--user", "ada"),
}
TEAM = ("--user", "ada", "--workspace", "not a name!")
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


def process(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", "metacortex", *arguments],
        env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def names(of: typer.Typer) -> set[str]:
    return {
        it.name or str(getattr(it.callback, "__name__", ""))
        for it in of.registered_commands
    }


def test_every_command_is_known_here() -> None:
    assert names(app) | names(auditing) | names(importing) == TELLS | set(WORKS)


@pytest.mark.parametrize("arguments", WORKS.values(), ids=WORKS)
def test_production_refuses_unsafe_settings_whatever_runs(
    arguments: tuple[str, ...],
) -> None:
    problems = load_settings(database_url=NOWHERE).problems()
    assert len(problems) > 2
    said = call(*arguments, DATABASE_URL=NOWHERE)
    assert said.exit_code == 1
    assert said.stdout == ""
    lines = said.stderr.splitlines()
    assert lines == ["error: production refuses to start like this:", *problems]


@pytest.mark.parametrize(
    "arguments", [*WORKS.values(), ("doctor",), ("token", "--user", "ada")]
)
def test_where_nothing_was_started_one_line_says_what_to_do(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    said = call(*arguments)
    assert (said.exit_code, said.stdout) == (1, "")
    (line,) = said.stderr.splitlines()
    assert f"({folder}/services.env is missing)" in line
    assert "run `make up` first" in line


def test_production_is_told_of_its_own_needs_without_a_folder() -> None:
    said = call("status", ENVIRONMENT="production")
    assert said.exit_code == 1
    assert said.stderr.startswith("error: production refuses to start like this:")


def test_the_version_and_the_name_are_those_of_the_project() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    done = process("--version")
    assert done.stdout == f"{declared['name']} {declared['version']}\n"
    assert process("nonsense").stderr.startswith("Usage: metacortex ")


def test_help_says_what_is_taken_where_an_option_is_left_out() -> None:
    for of in ("up", "api"):
        said = " ".join(call(of, "--help", COLUMNS="200").stdout.split())
        assert "METACORTEX_PORT, else 8000" in said
    said = call("up", "--help", COLUMNS="200").stdout
    assert "METACORTEX_DATA_DIR, else .metacortex" in said


def test_shells_complete_commands() -> None:
    asked = {"COMP_WORDS": "metacortex re", "COMP_CWORD": "1"}
    done = process(_METACORTEX_COMPLETE="complete_bash", **asked)
    assert done.stdout.split() == ["rebuild"]


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


def test_settings_of_somebody_else_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tests may run as root, who may read everything."""

    def load() -> None:
        raise PermissionError(13, "Permission denied", "services.env")

    monkeypatch.setattr("metacortex.cli.common.load_settings", load)
    said = call("status")
    assert said.exit_code == 1
    assert said.stderr.startswith("error: the settings cannot be read: ")


@pytest.mark.parametrize(
    "name", ["nonsense", "http://here:6379", "redis://", "unix://"]
)
def test_a_redis_that_is_none_is_named(name: str) -> None:
    said = call("worker", REDIS_URL=name)
    assert said.exit_code == 1
    assert said.stderr.startswith("error: REDIS_URL: must begin with redis://")


@pytest.mark.parametrize("where", [("--user", ""), ("--user", "a b"), TEAM])
def test_a_list_goes_to_names_that_tokens_can_have(
    folder: Path, where: tuple[str, ...]
) -> None:
    said = call("import", "checklist", "list.md", *where, ENVIRONMENT="development")
    assert said.exit_code == 1
    assert "name must be 1 to 64 letters" in said.stderr


def test_whoever_has_seen_enough_gets_no_remedy() -> None:
    with pytest.raises(BrokenPipeError), anticipated():
        raise BrokenPipeError


def test_a_port_that_is_taken_is_said_last(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        safe = {"ENVIRONMENT": "test", "DATABASE_URL": NOWHERE}
        done = process("api", "--port", port, **safe)
    assert done.returncode == 1
    assert "address already in use" in done.stderr.lower()
    assert done.stderr.splitlines()[-1].startswith("error: the API could not start")


@pytest.mark.parametrize("text", ["", "# Heading\n- milk\n", "[ ] milk\n"])
def test_a_file_without_check_boxes_says_so(folder: Path, text: str) -> None:
    (folder / "plain.md").write_text(text)
    development = {"ENVIRONMENT": "development", "DATABASE_URL": NOWHERE}
    said = call("import", "checklist", "plain.md", "--user", "ada", **development)
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr == (
        "error: plain.md has no check boxes: "
        "a task is a line such as `- [ ] Buy milk`\n"
    )


def test_a_list_that_is_not_there_is_named(folder: Path) -> None:
    said = call("import", "checklist", "no.md", "--user", "ada")
    assert said.exit_code == 1
    assert said.stderr == "error: no.md cannot be read: No such file or directory\n"
    (folder / "list.md").write_bytes(b"- [ ] caf\xe9\n")
    said = call("import", "checklist", "list.md", "--user", "ada")
    assert said.stderr == "error: list.md cannot be read: it is no text in UTF-8\n"


def test_a_token_is_data_for_people_and_for_programs(folder: Path) -> None:
    development = {"ENVIRONMENT": "development"}
    plain = call("token", "--user", "ada", **development)
    assert plain.stdout.count(".") == 2
    found = json.loads(call("token", "--user", "ada", "--json", **development).stdout)
    assert found["token"].count(".") == 2
    assert found["expires_in"] == 12 * 3600
    refused = call("token", "--user", "ada", ENVIRONMENT="production")
    assert refused.exit_code == 1
    assert "set ENVIRONMENT=development" in refused.stderr


def test_the_document_and_the_codes_are_printed_without_any_settings() -> None:
    unreadable = {"METACORTEX_PORT": "http"}
    found = json.loads(call("openapi", **unreadable).stdout)
    assert found["paths"]["/tasks"]["post"]["operationId"] == "createTask"
    errors = json.loads(call("openapi", "--errors", **unreadable).stdout)
    assert {it["code"]: it["status"] for it in errors}["token_expired"] == 401


def test_describe_shows_no_credentials(folder: Path) -> None:
    said = call(
        "describe",
        DATABASE_URL=NOWHERE,
        METACORTEX_TOKEN_JWKS_URL="https://a:hidden1@c.io/jwks?key=hidden2&a=b",
        METACORTEX_TOKEN_ISSUER="https://hidden3@clerk.example.com",
        METACORTEX_CORS_ORIGINS="https://u:hidden4@app.example.com",
    )
    assert said.exit_code == 0 and "hidden1" not in said.stdout
    assert not re.search("hidden[0-9]", said.stdout)
    assert "https://***@c.io/jwks?key=***&a=b" in said.stdout
