"""The one table from errors to HTTP status, and how an error is described."""

from typing import Any

from metacortex.kernel.errors import (
    CODES,
    Forbidden,
    Invalid,
    Malformed,
    MetaCortexError,
    NotFound,
    Refused,
    Several,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
    VersionConflict,
    WrongMethod,
)

STATUS: dict[type[MetaCortexError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    WrongMethod: 405,
    Refused: 409,
    VersionConflict: 412,
    TooLarge: 413,
    Unsupported: 415,
    Invalid: 422,
    Unavailable: 503,
    MetaCortexError: 500,
}


def status_of_class(cls: type[MetaCortexError]) -> int:
    """Return the status of the nearest ancestor that the table names."""
    return next(STATUS[base] for base in cls.__mro__ if base in STATUS)


def status_of(error: MetaCortexError) -> int:
    """Return the status of an error; several take that of the first."""
    first = error.errors[0] if isinstance(error, Several) else error
    return status_of_class(type(first))


def describe(error: MetaCortexError) -> dict[str, Any]:
    """Return an error as answers carry it; what the client sent is not echoed."""
    found: dict[str, Any] = {
        "code": error.code,
        "status": status_of(error),
        "title": error.title,
        "detail": error.detail,
        "meta": error.meta,
    }
    if error.source:
        found["source"] = dict(error.source)
    return found


def catalogue() -> list[dict[str, Any]]:
    """Return every code with its status and title, by code."""
    return [
        {"code": code, "status": status_of_class(cls), "title": title}
        for code, (cls, title) in sorted(CODES.items())
    ]
