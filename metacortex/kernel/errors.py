"""Every error that the service raises on purpose, as one tree.

    MetaCortexError
    ├── Malformed            the request cannot be read or has unknown parts
    ├── Unauthenticated      the caller is not authenticated
    ├── Forbidden            authenticated, but the role does not allow it
    ├── NotFound             unknown, or in another workspace (the two look the same)
    ├── Gone                 the log is not the one that the client followed
    ├── Refused              a rule of the domain does not allow the command
    │   └── UndoConflict     later changes prevent an undo
    ├── VersionConflict      the resource changed since the caller read it
    ├── Invalid              a value is not acceptable
    ├── TooLarge             the body passes the limit
    ├── HeadersTooLarge      the headers pass a limit
    ├── TargetTooLong        path and query pass the limit
    ├── TooSlow              the request did not arrive in time
    ├── RateLimited          the caller asks more than its share
    ├── Unsupported          the body has another media type or content coding
    ├── WrongMethod          the path exists, the method does not
    ├── Unavailable          try again later
    │   ├── Lagging          the read model has not reached the requested sequence
    │   └── Overloaded       the queue of the lane is full
    └── Several              more than one error of one request

A class carries the meaning, the code is stable and listed in `CODES`; HTTP numbers
live in `api/errors.py` alone (docs/decisions/0010-errors.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any


class MetaCortexError(Exception):
    """An anticipated error; `source` points into the request, `meta` is public."""

    def __init__(  # noqa: B042  # never pickled or copied
        self,
        code: str,
        detail: str = "",
        *,
        source: Mapping[str, str] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.title = CODES[code][1]
        self.detail = detail or self.title
        self.source = source
        self.meta = dict(meta or {})
        super().__init__(f"{code}: {self.detail}")


class Malformed(MetaCortexError):
    """The request cannot be read, or names something that does not exist."""


class Unauthenticated(MetaCortexError):
    """The caller is not authenticated."""


class Forbidden(MetaCortexError):
    """The caller is authenticated, but may not do this."""


class NotFound(MetaCortexError):
    """There is no such thing in the caller's workspace."""


class Gone(MetaCortexError):
    """The log is not the one that the client followed."""


class Refused(MetaCortexError):
    """A rule of the domain does not allow the command."""


class UndoConflict(Refused):
    """Later changes touched what the undo would put back."""


class VersionConflict(MetaCortexError):
    """The resource is not at the version that the caller named."""


class Invalid(MetaCortexError):
    """A value is not acceptable; `Several` carries more than one of these."""


class TooLarge(MetaCortexError):
    """The body passes the limit."""


class HeadersTooLarge(MetaCortexError):
    """The headers are too many, or pass a limit of their size."""


class TargetTooLong(MetaCortexError):
    """Path and query pass the limit."""


class TooSlow(MetaCortexError):
    """The request did not arrive in time."""


class RateLimited(MetaCortexError):
    """The caller asks more than its share; `Retry-After` tells how long to wait."""


class Unsupported(MetaCortexError):
    """The body has a media type or a content coding that is not supported."""


class WrongMethod(MetaCortexError):
    """The path exists, the method does not."""


class Unavailable(MetaCortexError):
    """The request is valid and may be sent again later."""


class Lagging(Unavailable):
    """The read model has not reached the requested sequence."""


class Overloaded(Unavailable):
    """The queue of the lane is full."""


class Several(MetaCortexError):
    """More than one error of one request, in the order of the request."""

    def __init__(  # noqa: B042  # never pickled or copied
        self, errors: Sequence[MetaCortexError]
    ) -> None:
        self.errors = tuple(errors)
        super().__init__(errors[0].code, errors[0].detail)


CODES: dict[str, tuple[type[MetaCortexError], str]] = {
    "malformed_json": (Malformed, "The body is not valid JSON"),
    "unknown_parameter": (Malformed, "The query parameter is not known here"),
    "invalid_parameter": (Malformed, "The query parameter has an invalid value"),
    "invalid_header": (Malformed, "The header has an invalid value"),
    "bad_cursor": (Malformed, "The cursor is not one of ours"),
    "cursor_mismatch": (Malformed, "The cursor belongs to another query"),
    "bad_request": (Malformed, "The request cannot be read"),
    "token_missing": (Unauthenticated, "A bearer token is required"),
    "token_invalid": (Unauthenticated, "The token is not valid"),
    "token_expired": (Unauthenticated, "The token has expired"),
    "role_required": (Forbidden, "Your role does not allow this"),
    "not_yourself": (Forbidden, "Only the person concerned may do this"),
    "not_the_author": (Forbidden, "The comment is somebody else's"),
    "same_origin_required": (Forbidden, "Only pages of this server may ask for this"),
    "not_found": (NotFound, "There is nothing here"),
    "route_not_found": (NotFound, "There is no such path"),
    "method_not_allowed": (WrongMethod, "The path does not take this method"),
    "resync_required": (Gone, "The log is not the one that you followed"),
    "already_exists": (Refused, "A resource with this id exists already"),
    "invalid_transition": (Refused, "The state does not allow this command"),
    "cycle_detected": (Refused, "A task cannot stand below itself"),
    "not_a_sibling": (Refused, "The other does not stand in the same place"),
    "depth_exceeded": (Refused, "Subtasks are nested too deeply"),
    "open_subtasks": (Refused, "Some subtasks are still open"),
    "name_taken": (Refused, "The name is in use already"),
    "project_archived": (Refused, "The project is archived"),
    "project_deleted": (Refused, "The project is deleted"),
    "task_archived": (Refused, "The task is archived"),
    "task_deleted": (Refused, "The task is deleted"),
    "parent_deleted": (Refused, "The parent task is deleted"),
    "parent_archived": (Refused, "The parent task is archived"),
    "section_deleted": (Refused, "The section is deleted"),
    "tag_deleted": (Refused, "The tag is deleted"),
    "merge_into_itself": (Refused, "A tag cannot be merged into itself"),
    "too_much_at_once": (Refused, "It comes to too many events at once"),
    "too_many_tags": (Refused, "The task has too many tags"),
    "unknown_reference": (Invalid, "What this names does not exist here"),
    "member_unknown": (Invalid, "Nobody of this name is a member of the workspace"),
    "undo_conflict": (UndoConflict, "Later changes stand in the way"),
    "not_undoable": (Refused, "This command cannot be undone"),
    "actor_unknown": (Refused, "This release does not have the actor of the job"),
    "version_conflict": (VersionConflict, "The resource changed since you read it"),
    "duplicate_key": (Malformed, "An object has two members of one name"),
    "too_deep": (Malformed, "The body is nested too deeply"),
    "too_many_fields": (Invalid, "An object has more members than any has fields"),
    "invalid_field": (Invalid, "A field has an invalid value"),
    "unknown_field": (Invalid, "The field is not known here"),
    "unknown_command": (Invalid, "There is no such command"),
    "too_many_events": (Invalid, "Too many events to fold for one answer"),
    "missing_field": (Invalid, "A required field is missing"),
    "idempotency_key_reused": (
        Invalid,
        "The idempotency key was used for another request",
    ),
    "body_too_large": (TooLarge, "The body passes the limit"),
    "headers_too_large": (HeadersTooLarge, "The headers pass a limit"),
    "target_too_long": (TargetTooLong, "Path and query pass the limit"),
    "request_too_slow": (TooSlow, "The request did not arrive in time"),
    "too_many_streams": (RateLimited, "You have too many streams open"),
    "rate_limited": (RateLimited, "You ask more than your share"),
    "unsupported_content_coding": (Unsupported, "The body must not be compressed"),
    "unsupported_media_type": (Unsupported, "The body must be application/json"),
    "read_model_lagging": (Lagging, "The read model has not reached this sequence"),
    "workspace_busy": (Unavailable, "Others hold the lock of what this needs"),
    "query_timeout": (Unavailable, "The database took too long"),
    "outcome_unknown": (Unavailable, "The receipt will tell if this took effect"),
    "overloaded": (Overloaded, "Too many commands are waiting"),
    "too_many_connections": (Unavailable, "Too many connections are open"),
    "shutting_down": (Unavailable, "The service is shutting down"),
    "database_unavailable": (Unavailable, "The database does not answer"),
    "keys_unavailable": (Unavailable, "The keys of the token issuer are not known"),
    "http_error": (MetaCortexError, "An endpoint refused the request"),
    "internal_error": (MetaCortexError, "Something went wrong on our side"),
}
