"""The password policy of an instance (settings.passwordValidationPolicy), and what is not built of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.sqladmin.names import invalid_request

if TYPE_CHECKING:
    from localcloud.service import Resource

# COMPLEXITY_DEFAULT wants one of each
CLASSES = {
    "a lowercase letter": re.compile(r"[a-z]"),
    "an uppercase letter": re.compile(r"[A-Z]"),
    "a digit": re.compile(r"\d"),
    "a non-alphanumeric character": re.compile(r"[^A-Za-z0-9]"),
}
# These need a memory of passwords or of logins, which nobody keeps here.
POLICY_NOT_BUILT = ("reuseInterval", "passwordChangeInterval")
USER_NOT_BUILT = ("passwordPolicy", "sqlserverUserDetails", "serverRoles")
ONE_PASSWORD = (
    None,
    "DUAL_PASSWORD_TYPE_UNSPECIFIED",
    "NO_MODIFY_DUAL_PASSWORD",
    "NO_DUAL_PASSWORD",
)


def check_policy(settings: Resource) -> None:
    """Refuse a policy that asks for more than can be checked here."""
    policy = settings.get("passwordValidationPolicy", {})
    for field in POLICY_NOT_BUILT:
        if policy.get(field) not in {None, 0, "0s"}:
            raise ApiError(501, f"The local cloud has no passwordValidationPolicy.{field}.")


def check_user(body: Resource) -> None:
    """Refuse fields of a user that would change how he logs in."""
    for field in USER_NOT_BUILT:
        if body.get(field):
            raise ApiError(501, f"The local cloud has no users with {field}.")
    if body.get("dualPasswordType") not in ONE_PASSWORD:
        raise ApiError(501, "The local cloud has no users with two passwords.")


def check(found: Resource, name: str, password: str | None) -> None:
    """Refuse a password that the instance's policy does not allow."""
    policy = found["settings"].get("passwordValidationPolicy", {})
    if password is None or not policy.get("enablePasswordPolicy"):
        return
    lacking = []
    if len(password) < policy.get("minLength", 0):
        lacking.append(f"at least {policy['minLength']} characters")
    if policy.get("complexity") == "COMPLEXITY_DEFAULT":
        lacking += [words for words, one in CLASSES.items() if not one.search(password)]
    if policy.get("disallowUsernameSubstring") and name.lower() in password.lower():
        lacking.append("no user name in it")
    if lacking:
        raise invalid_request(
            f"the password does not meet the password policy: it must have {', '.join(lacking)}."
        )
