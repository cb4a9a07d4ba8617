"""docker-compose.yml runs the same processes, with settings that exist."""

import re
from pathlib import Path
from typing import Any

import yaml

from metacortex.settings import Settings

ROOT = Path(__file__).parents[2]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_every_process_is_a_service() -> None:
    services = compose()["services"]
    assert set(services) == {
        *("postgres", "redis"),
        *("migrate", "api", "worker", "scheduler"),
    }
    for name in ("migrate", "api", "worker", "scheduler"):
        assert services[name]["command"] == [name]


def test_every_variable_is_a_setting() -> None:
    known = {
        str(field.validation_alias or f"METACORTEX_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    services = compose()["services"]
    for name in ("migrate", "api", "worker", "scheduler"):
        assert set(services[name]["environment"]) <= known


def test_no_password_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    passwords = re.findall(r"\$\{(\w*PASSWORD)(:\?)?", text)
    assert passwords
    assert all(required for _, required in passwords)


def test_only_the_migration_has_the_superuser() -> None:
    for name, service in compose()["services"].items():
        has_it = "POSTGRES_PASSWORD" in str(service)
        assert has_it == (name in {"postgres", "migrate"}), name
