"""Who may enter a tracking server: one model per access mode, told apart by `mode`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from schemas.model import MEMBER_PATTERN, Model

MOST_MEMBERS = 50


def _names_everybody_once(members: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({member for member in members if members.count(member) > 1})
    if twice:
        raise PydanticCustomError(
            "duplicate_member", "named more than once: {twice}", {"twice": ", ".join(twice)}
        )
    return members


Member = Annotated[str, Field(pattern=MEMBER_PATTERN, max_length=300)]
"""A principal as IAM writes it. allUsers and allAuthenticatedUsers do not match: nothing is public."""


class IamAccess(Model):
    """Google checks the caller: only the members named may reach the server."""

    mode: Literal["iam"] = Field(
        default="iam", description="How callers prove who they are.", examples=["iam"]
    )
    members: Annotated[tuple[Member, ...], AfterValidator(_names_everybody_once)] = Field(
        default=(),
        max_length=MOST_MEMBERS,
        description="Who may enter besides the one who asked. Name a group when they are many.",
        examples=[["group:risk@example.com", "user:ana@example.com"]],
    )


class BasicAuth(Model):
    """MLflow checks the caller: a login with name and password, which opens in a browser."""

    mode: Literal["basic_auth"] = Field(
        description="How callers prove who they are.", examples=["basic_auth"]
    )
    admin_username: str = Field(
        default="admin",
        pattern=r"^[a-z][-_.a-z0-9]{1,39}$",
        description="The login of the first administrator. The password is made by Berth "
        "and kept in Secret Manager.",
        examples=["admin"],
    )


Access = Annotated[IamAccess | BasicAuth, Field(discriminator="mode")]
"""The access modes offered."""


def member_of(email: str) -> str:
    """Return an address as IAM names its owner; service accounts are told by their domain."""
    kind = "serviceAccount" if email.endswith(".gserviceaccount.com") else "user"
    return f"{kind}:{email}"
