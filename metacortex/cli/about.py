"""`metacortex describe`, `openapi`, `doctor` and `token`: what is told, not changed."""

import asyncio
import json
from typing import Annotated

import typer

from metacortex.api.roles import Role
from metacortex.cli.common import Json, installed_settings, loaded_settings
from metacortex.console import fail, show

TOKEN_TTL_S = 12 * 3600  # a working day


def token(
    user: Annotated[str, typer.Option(help="Whose token: a short name.")],
    workspace: Annotated[
        str | None, typer.Option(help="Which team; none: the person's own space.")
    ] = None,
    role: Annotated[Role | None, typer.Option(help="In that workspace.")] = None,
    ttl: Annotated[int, typer.Option(help="Seconds that it is valid.")] = TOKEN_TTL_S,
    as_json: Json = False,
) -> None:
    """Print a development token."""
    settings = installed_settings()
    if settings.is_production:
        fail("tokens are made in development only: set ENVIRONMENT=development")
    from metacortex.api.app import local_issuer

    try:
        made = local_issuer(settings).token(user, workspace, role, ttl_s=ttl)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"the issuer's key cannot be kept ({error}): set METACORTEX_DATA_DIR")
    print(json.dumps({"token": made, "expires_in": ttl}) if as_json else made)


def describe(as_json: Json = False) -> None:
    """List commands, events, queries and settings; needs no database."""
    settings = loaded_settings()
    from metacortex import describe as descriptions

    found = descriptions.describe(settings)
    if as_json:
        print(json.dumps(found, indent=2, default=str))
        return
    for name, values in found.items():
        print(name)
        for value in values:
            print(f"  {value}")


def openapi(
    errors: Annotated[bool, typer.Option(help="The error codes instead.")] = False,
) -> None:
    """Print the OpenAPI document; needs no settings and no database."""
    if errors:
        from metacortex.api.errors import catalogue

        print(json.dumps(catalogue(), indent=2))
        return
    from metacortex.api.app import document

    print(json.dumps(document(), indent=2))


def doctor(as_json: Json = False) -> None:
    """Check what this installation needs; each failing line names the remedy."""
    settings = installed_settings()
    from metacortex import doctor as doctors

    found = asyncio.run(doctors.doctor(settings))
    show(found, as_json, "Doctor")
    if bad := [line["check"] for line in found if line["status"] == "failing"]:
        fail(f"not in order: {', '.join(bad)}")
