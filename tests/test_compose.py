"""docker-compose.yml runs the same processes, with settings that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from metacortex.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]


MONITORING_FILES = ROOT / "docs/monitoring"
MONITORING = ("prometheus", "grafana")
MONITORED = ("api", "worker", "scheduler")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_every_process_is_a_service() -> None:
    services = compose()["services"]
    assert set(services) == {
        *("postgres", "redis"),
        *("migrate", "api", "worker", "scheduler"),
        *MONITORING,
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


OURS = ("migrate", "api", "worker", "scheduler")


def test_each_process_has_the_passwords_that_it_needs_and_no_other() -> None:
    services = compose()["services"]
    urls = {
        name: {it for it in services[name]["environment"] if it.startswith("DATABASE")}
        for name in OURS
    }
    every = {f"DATABASE{it}_URL" for it in ("", "_PROJECTOR", "_OWNER", "_AUDITOR")}
    one = {"DATABASE_URL"}
    both = {"DATABASE_URL", "DATABASE_PROJECTOR_URL"}
    assert urls == {"api": one, "worker": both, "scheduler": one, "migrate": every}
    for name, variable, role in (
        ("api", "DATABASE_URL", "app"),
        ("worker", "DATABASE_URL", "app"),
        ("worker", "DATABASE_PROJECTOR_URL", "projector"),
        ("scheduler", "DATABASE_URL", "projector"),
    ):
        url = services[name]["environment"][variable]
        assert url.startswith(f"postgresql://metacortex_{role}:")


@pytest.mark.parametrize("name", OURS)
def test_what_compose_hands_over_is_safe_for_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """Fill in an .env as the file asks for, and read the settings of the process."""
    given = {
        "METACORTEX_TOKEN_ISSUER": "https://clerk.example.com",
        "METACORTEX_TOKEN_JWKS_URL": "https://clerk.example.com/jwks.json",
        "METACORTEX_TOKEN_AUTHORIZED_PARTIES": "https://app.example.com",
    }

    def fill(found: re.Match[str]) -> str:
        return given.get(found[1], "9f" * 32 if "PASSWORD" in found[1] else "")

    monkeypatch.setenv("METACORTEX_DATA_DIR", str(tmp_path))
    for variable, value in compose()["services"][name]["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{(\w+)[^}]*\}", fill, value))
    settings = load_settings()
    assert settings.is_production
    assert settings.problems() == []


@pytest.mark.parametrize("name", OURS)
def test_no_process_can_do_more_than_its_work(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["driver"] == "local"


def test_processes_wait_for_what_they_need() -> None:
    services = compose()["services"]
    for name in ("api", "worker", "scheduler"):
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }
    healthy = {"postgres": {"condition": "service_healthy"}}
    assert services["migrate"]["depends_on"] == healthy
    assert services["migrate"]["restart"] == "no"


def test_there_is_time_to_end_before_a_kill() -> None:
    grace_s = Settings.model_fields["shutdown_grace_s"].default
    for name in OURS:
        assert int(compose()["services"][name]["stop_grace_period"][:-1]) > grace_s


def test_the_image_has_what_runs_and_is_not_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if re.match(r"COPY (?!--)", line)}
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} == {it for it in allowed if it[0] == "!"}
    assert all((ROOT / name).exists() for name in copied)
    assert "USER 10001:10001" in lines
    assert lines.index("USER 10001:10001") > lines.index("WORKDIR /app")


@pytest.mark.parametrize("name", MONITORING)
def test_monitoring_is_there_for_those_who_ask_for_it(name: str) -> None:
    service = compose()["services"][name]
    assert service["profiles"] == ["monitoring"]
    assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"]), "pinned"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    for volume in service["volumes"]:
        source, target, *mode = volume.split(":")
        if source.startswith("."):
            assert (ROOT / source).is_file() and mode == ["ro"], volume
        else:
            assert source in compose()["volumes"]
    for other in compose()["services"].values():  # or `up` would start it after all
        asked_for = other.get("profiles") == ["monitoring"]
        assert asked_for or name not in other.get("depends_on", ())


def test_every_process_is_scraped_where_it_serves_its_metrics() -> None:
    found = yaml.safe_load((MONITORING_FILES / "prometheus.yml").read_text())
    [rules] = found["rule_files"]
    assert (MONITORING_FILES / rules).is_file()
    scraped = {
        job["job_name"]: (job["dns_sd_configs"][0]["names"], job["dns_sd_configs"][0])
        for job in found["scrape_configs"]
    }
    assert set(scraped) == set(MONITORED)
    services = compose()["services"]
    for name, (names, where) in scraped.items():
        assert names == [name]
        environment = services[name]["environment"]
        own = environment["METACORTEX_METRICS_PORT"]
        if name == "api":  # its own path wants a token in production
            own = environment["METACORTEX_METRICS_BIND"].rpartition(":")[2]
        assert where["port"] == int(own)
        assert set(services["prometheus"]["networks"]) & set(services[name]["networks"])


def test_grafana_shows_our_dashboard_from_that_prometheus() -> None:
    folder = MONITORING_FILES / "grafana"
    [source] = yaml.safe_load((folder / "datasource.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((folder / "dashboards.yaml").read_text())["providers"]
    grafana = compose()["services"]["grafana"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    mounted = {it.split(":")[1]: it.split(":")[0] for it in grafana["volumes"]}
    assert mounted[home] == "./docs/monitoring/dashboard.json"
    assert home.startswith(provider["options"]["path"])
