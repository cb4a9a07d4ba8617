"""What the commands share: settings, and what is said where there are none."""

import atexit
import os
from typing import Annotated

import typer
from pydantic import ValidationError

from metacortex.console import fail
from metacortex.kernel import tracing
from metacortex.settings import (
    SERVICES_FILE,
    Settings,
    UnsafeSettings,
    load_settings,
    mistakes,
    variable,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def default_of(name: str) -> str:
    """Say where an option that was left out is taken from."""
    return f"{variable(name)}, else {Settings.model_fields[name].default}"


def process_settings(name: str) -> Settings:
    """Return the settings of a process that stays, and begin to log and to trace."""
    import structlog

    from metacortex import logs

    settings = checked_settings()
    logs.configure(settings.log_level, settings.log_format)
    for warning in settings.warnings():
        structlog.get_logger(__name__).warning("unwise_setting", detail=warning)
    try:
        tracing.configure(settings.otel_endpoint, name)
    except tracing.NotInstalled as error:
        fail(str(error))
    atexit.register(tracing.stop)
    return settings


def checked_settings() -> Settings:
    """Return settings to work with: production refuses unsafe ones, here for all."""
    try:
        return installed_settings().checked()
    except UnsafeSettings as error:
        fail(str(error))


def installed_settings() -> Settings:
    """Return the settings of an installation; fail where nothing names any."""
    settings = loaded_settings()
    file = (settings.data_dir / SERVICES_FILE).absolute()
    named = os.environ.get("DATABASE_URL") or os.environ.get("ENVIRONMENT")
    if not named and not file.exists():
        fail(
            f"no data folder was found ({file} is missing): run `make up` first, or "
            "name its folder in METACORTEX_DATA_DIR; in production set DATABASE_URL"
        )
    return settings


def loaded_settings() -> Settings:
    """Return the settings as they are, for what only tells of them."""
    try:
        return load_settings()
    except ValidationError as error:
        fail("\n".join(mistakes(error)))
    except OSError as error:  # services.env of another user, for one
        fail(f"the settings cannot be read: {error}")
