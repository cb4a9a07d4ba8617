"""Roles and workspaces of callers: what others than the API need of them as well."""

from enum import StrEnum
from uuid import UUID, uuid5

WORKSPACES = UUID("6f1d5c0e-8a57-4f0b-9b63-2c8f3f1f7a10")
"""Namespace of workspace ids; another one would part everybody from their data."""


class Role(StrEnum):
    """What a caller is in the workspace; `operator` belongs to the instance."""

    OWNER = "owner"
    MEMBER = "member"
    AUDITOR = "auditor"
    OPERATOR = "operator"


def workspace_of(clerk_id: str) -> UUID:
    """Return the workspace of an organisation id, or of a user id."""
    return uuid5(WORKSPACES, clerk_id)
