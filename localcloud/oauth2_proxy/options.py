"""The options: one table for flags, variables and the file; what is in none of its rows is refused."""

from __future__ import annotations

import base64
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_PREFIX = "OAUTH2_PROXY_"
_AES = frozenset({16, 24, 32})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TRUE, _FALSE = frozenset({"1", "t", "true"}), frozenset({"0", "f", "false"})


class InvalidError(Exception):
    """The configuration is not one to start with; the message is what the program says."""


def seconds(text: str) -> float:
    """Read a duration as Go writes it, such as ``168h0m0s``."""
    found = _DURATION.findall(text)
    if "".join(number + unit for number, unit in found) != text or not found:
        raise InvalidError(f"time: invalid duration {text!r}")
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


def _truth(value: Any) -> bool:
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise InvalidError(f"invalid boolean value {value!r}")
    return text in _TRUE


def _duration(value: Any) -> float:
    return seconds(str(value)) if str(value) != "0" else 0.0


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidError(f"expected a string, got {value!r}")
    return value


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidError(f"expected a list of strings, got {value!r}")
    return value


# name in the file: how it is read, and its default. A list's flag is the name without the s.
_OPTIONS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "api_routes": (_list, []),
    "approval_prompt": (_text, "force"),
    "auth_logging": (_truth, True),
    "authenticated_emails_file": (_text, ""),
    "client_id": (_text, ""),
    "client_secret": (_text, ""),
    "client_secret_file": (_text, ""),
    "code_challenge_method": (_text, ""),
    "cookie_csrf_expire": (_duration, 900.0),
    "cookie_expire": (_duration, 604800.0),
    "cookie_httponly": (_truth, True),
    "cookie_name": (_text, "_oauth2_proxy"),
    "cookie_path": (_text, "/"),
    "cookie_samesite": (_text, ""),
    "cookie_secret": (_text, ""),
    "cookie_secret_file": (_text, ""),
    "cookie_secure": (_truth, True),
    "email_domains": (_list, []),
    "extra_jwt_issuers": (_list, []),
    "http_address": (_text, "127.0.0.1:4180"),
    "insecure_oidc_allow_unverified_email": (_truth, False),
    "oidc_extra_audiences": (_list, []),
    "oidc_issuer_url": (_text, ""),
    "pass_authorization_header": (_truth, False),
    "pass_basic_auth": (_truth, True),
    "pass_host_header": (_truth, True),
    "pass_user_headers": (_truth, True),
    "ping_path": (_text, "/ping"),
    "prompt": (_text, ""),
    "provider": (_text, "google"),
    "provider_display_name": (_text, ""),
    "proxy_prefix": (_text, "/oauth2"),
    "ready_path": (_text, "/ready"),
    "redirect_url": (_text, ""),
    "request_logging": (_truth, True),
    "reverse_proxy": (_truth, False),
    "scope": (_text, ""),
    "set_xauthrequest": (_truth, False),
    "silence_ping_logging": (_truth, False),
    "skip_auth_preflight": (_truth, False),
    "skip_auth_routes": (_list, []),
    "skip_jwt_bearer_tokens": (_truth, False),
    "skip_provider_button": (_truth, False),
    "standard_logging": (_truth, True),
    "upstream_timeout": (_duration, 30.0),
    "upstreams": (_list, []),
    "whitelist_domains": (_list, []),
}
_VALUES = {
    "code_challenge_method": ("", "plain", "S256"),
    "cookie_samesite": ("", "lax", "strict", "none"),
    "provider": ("google", "oidc"),
}
_LISTS = frozenset(name for name, (read, _) in _OPTIONS.items() if read is _list)
_BOOLEANS = frozenset(name for name, (read, _) in _OPTIONS.items() if read is _truth)


@dataclass(frozen=True)
class Options:
    """What the program was told, complete and found good."""

    given: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Give one option."""
        return self.given[name]

    @property
    def issuer(self) -> str:
        """Whose sign-in is used."""
        return str(self["oidc_issuer_url"]) or "https://accounts.google.com"

    @property
    def secret(self) -> bytes:
        """The key behind cookies."""
        return secret_bytes(self["cookie_secret"])

    @property
    def emails(self) -> frozenset[str]:
        """The addresses of the file, in lower case; it is read anew each time, as it may change."""
        name = self["authenticated_emails_file"]
        if not name:
            return frozenset()
        lines = Path(name).read_text().splitlines()
        return frozenset(line.strip().lower() for line in lines if line.strip())


def secret_bytes(text: str) -> bytes:
    """Give a cookie secret: what its URL-safe base64 says if that is a key, else its own bytes."""
    bare = text.rstrip("=")
    if re.fullmatch(r"[A-Za-z0-9_-]+", bare):
        decoded = (
            base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)) if len(bare) % 4 != 1 else b""
        )
        if len(decoded) in _AES:
            return decoded
    return text.encode()


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Put flags over variables over the file over defaults, and check the whole."""
    flags = _flags(arguments)
    config = flags.pop("config", environment.get(f"{_PREFIX}CONFIG", ""))
    given = {name: default for name, (_, default) in _OPTIONS.items()}
    given |= _known(_file(str(config)) if config else {}, f"in {config}")
    given |= _known(_variables(environment), "in the environment")
    given |= _known(flags, "on the command line")
    for kind in ("client", "cookie"):
        if given[f"{kind}_secret_file"] and not given[f"{kind}_secret"]:
            given[f"{kind}_secret"] = Path(given[f"{kind}_secret_file"]).read_text().strip()
    problems = _problems(given)
    if problems:
        raise InvalidError("invalid configuration:\n  " + "\n  ".join(problems))
    return Options(given)


def _file(name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(name).read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidError(f"unable to load config file {name}: {error}") from error


def _variables(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(_PREFIX) and name != f"{_PREFIX}CONFIG"
    }


def _flags(arguments: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    left = list(arguments)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word.strip("-") == "":
            raise InvalidError(f"unknown argument: {word}")
        flag, equals, value = word.lstrip("-").partition("=")
        name = flag.replace("-", "_")
        name = f"{name}s" if f"{name}s" in _LISTS else name
        if not equals:
            value = "true" if name in _BOOLEANS else left.pop(0) if left else ""
        if name in _LISTS:
            found[name] = [*found.get(name, []), *_list(value)]
        else:
            found[name] = value
    return found


def _known(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    unknown = sorted(given.keys() - _OPTIONS.keys())
    if unknown:
        raise InvalidError(
            f"options this stand-in does not know, {where}: {', '.join(unknown)}; it knows "
            f"{', '.join(_OPTIONS)}"
        )
    made = {}
    for name, value in given.items():
        try:
            made[name] = _OPTIONS[name][0](value)
        except InvalidError as error:
            raise InvalidError(f"{name}, {where}: {error}") from error
    return made


def _problems(given: Mapping[str, Any]) -> list[str]:
    return [problem for check in (_secrets, _people, _choices, _lists) for problem in check(given)]


def _secrets(given: Mapping[str, Any]) -> Iterator[str]:
    size = len(secret_bytes(given["cookie_secret"]))
    if not given["cookie_secret"]:
        yield "missing setting: cookie-secret"
    elif size not in _AES:
        yield (
            f"cookie_secret must be 16, 24, or 32 bytes to create an AES cipher, but is {size} bytes"
        )
    if not given["client_id"]:
        yield "missing setting: client-id"
    if not given["client_secret"]:
        yield "missing setting: client-secret or client-secret-file"


def _people(given: Mapping[str, Any]) -> Iterator[str]:
    file = given["authenticated_emails_file"]
    if not given["email_domains"] and not file:
        yield (
            "missing setting for email validation: email-domain or authenticated-emails-file "
            "required.\n      use email-domain=* to authorize all email addresses"
        )
    if file and not Path(file).is_file():
        yield f"failed opening authenticated-emails-file={file}"


def _choices(given: Mapping[str, Any]) -> Iterator[str]:
    for name, values in _VALUES.items():
        if given[name] not in values:
            yield f"{name} {given[name]!r}: must be one of {', '.join(map(repr, values))}"
    if given["provider"] == "oidc" and not given["oidc_issuer_url"]:
        yield "missing setting: oidc-issuer-url"


def _lists(given: Mapping[str, Any]) -> Iterator[str]:
    if not given["upstreams"]:
        yield "missing setting: upstreams"  # the program itself then answers 404 to all
    for one in given["upstreams"]:
        if not one.startswith("http://"):
            yield f"upstream {one!r}: this stand-in knows http://"
    for one in given["extra_jwt_issuers"]:
        if "=" not in one:
            yield f"invalid jwt verifier specs: {one!r}"
    for name in ("skip_auth_routes", "api_routes"):
        yield from filter(None, (_pattern(name, one) for one in given[name]))


def _pattern(name: str, text: str) -> str:
    try:
        re.compile(text.partition("=")[2] or text)
    except re.error as error:
        return f"error compiling {name} {text!r}: {error}"
    return ""
