"""The stand-in reads the original's configuration, and refuses what it does not know by name."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from localcloud.oauth2_proxy.options import InvalidError, read, seconds

if TYPE_CHECKING:
    from pathlib import Path

SECRET = base64.urlsafe_b64encode(bytes(range(32))).decode()
GOOD = {
    "client_id": "c",
    "client_secret": "s",
    "cookie_secret": SECRET,
    "email_domains": ["example.com"],
    "upstreams": ["http://127.0.0.1:8080/"],
}


def config(folder: Path, **more: object) -> str:
    """Write a file; None leaves an option out."""
    lines = []
    for name, value in {**GOOD, **more}.items():
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
            lines.append(f"{name} = {text}")
    file = folder / "oauth2-proxy.cfg"
    file.write_text("\n".join(lines))
    return f"--config={file}"


def refused(*arguments: str, **environment: str) -> str:
    """Return why a configuration is refused."""
    with pytest.raises(InvalidError) as caught:
        read(arguments, environment)
    return str(caught.value)


def test_flags_go_before_variables_before_the_file(tmp_path: Path) -> None:
    """Each overrides the next, lists as well."""
    name = config(tmp_path, cookie_name="file", scope="file", prompt="file")
    environment = {"OAUTH2_PROXY_COOKIE_NAME": "env", "OAUTH2_PROXY_SCOPE": "env"}

    options = read(
        [name, "--cookie-name=flag", "--email-domain", "a.org", "--email-domain=b.org"],
        environment,
    )

    found = [options[one] for one in ("cookie_name", "scope", "prompt")]
    assert found == ["flag", "env", "file"]
    assert options["email_domains"] == ["a.org", "b.org"]


def test_what_it_does_not_know_is_named(tmp_path: Path) -> None:
    """In the file, the environment and the command line."""
    name = config(tmp_path)

    assert "redis_connection_url" in refused(config(tmp_path, redis_connection_url="redis://x"))
    assert "cookie_colour" in refused(config(tmp_path), OAUTH2_PROXY_COOKIE_COLOUR="blue")
    assert "google_groups" in refused(name, "--google_groups=x")
    assert "unknown argument: serve" in refused(name, "serve")


@pytest.mark.parametrize(
    ("secret", "size"), [("short", 5), ("x" * 33, 33), ("+" * 44, 44), ("a b" * 10, 30)]
)
def test_a_cookie_secret_is_a_key_of_aes(tmp_path: Path, secret: str, size: int) -> None:
    """16, 24 or 32 bytes, as they are or out of URL-safe base64; the words are the original's."""
    assert refused(config(tmp_path, cookie_secret=secret)) == (
        "invalid configuration:\n  cookie_secret must be 16, 24, or 32 bytes to create an AES "
        f"cipher, but is {size} bytes"
    )


@pytest.mark.parametrize("size", [16, 24, 32])
def test_good_cookie_secrets(tmp_path: Path, size: int) -> None:
    """Plain and encoded ones."""
    encoded = base64.urlsafe_b64encode(b"\xff" * size).decode()

    assert read([config(tmp_path, cookie_secret=encoded)], {}).secret == b"\xff" * size
    assert read([config(tmp_path, cookie_secret="!" * size)], {}).secret == b"!" * size


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"client_id": None}, "missing setting: client-id"),
        ({"client_secret": None}, "missing setting: client-secret"),
        ({"cookie_secret": None}, "missing setting: cookie-secret"),
        ({"email_domains": None}, "use email-domain=* to authorize all email addresses"),
        ({"authenticated_emails_file": "/nowhere"}, "failed opening"),
        ({"upstreams": None}, "upstreams"),
        ({"upstreams": ["file:///var/www"]}, "knows http://"),
        ({"provider": "github"}, "github"),
        ({"provider": "oidc"}, "oidc-issuer-url"),
        ({"cookie_samesite": "maybe"}, "cookie_samesite"),
        ({"extra_jwt_issuers": ["https://issuer"]}, "invalid jwt verifier specs"),
        ({"skip_auth_routes": ["GET=("]}, "error compiling"),
        ({"cookie_expire": "soon"}, "invalid duration"),
        ({"cookie_secure": "perhaps"}, "invalid boolean"),
        ({"client_id": 5}, "expected a string"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, more: dict[str, object], words: str) -> None:
    """Before anything listens."""
    assert words in refused(config(tmp_path, **more))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Missing, or not in the file's language."""
    (tmp_path / "bad.cfg").write_text("client_id: c")

    assert "unable to load config file" in refused(f"--config={tmp_path / 'none.cfg'}")
    assert "unable to load config file" in refused(f"--config={tmp_path / 'bad.cfg'}")


def test_durations_are_gos() -> None:
    """Hours, minutes and seconds in one word."""
    assert (seconds("168h0m0s"), seconds("1m30s"), seconds("500ms")) == (604800, 90, 0.5)
    with pytest.raises(InvalidError):
        seconds("1 day")
