"""The proxy itself: its own pages under the prefix, everything else checked and handed on."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit

from localcloud.oauth2_proxy import pages
from localcloud.oauth2_proxy.forwarding import forward
from localcloud.oauth2_proxy.sessions import Sessions
from localcloud.oauth2_proxy.tokens import InvalidTokenError, encoded, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.oauth2_proxy.options import Options

_FORBIDDEN, _UNAUTHORIZED = 403, 401
_PROVIDERS = {"google": "Google", "oidc": "OpenID Connect"}


class Server(ThreadingHTTPServer):
    """Listens; one thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options: Options, environment: Mapping[str, str]) -> None:
        """Listen where the options say, on ``PORT`` where that is set.

        The original knows no ``PORT``. On Cloud Run it is the container's port, which the options
        name too; on the local cloud every container has another one, and only there they differ.
        """
        self.options = options
        self.sessions = Sessions(options)
        host, _, port = options["http_address"].removeprefix("http://").rpartition(":")
        super().__init__((host, int(environment.get("PORT") or port)), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer whatever the method is."""
        try:
            self._serve()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - as above

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Write the request log."""
        path = urlsplit(self.path).path
        options = self.server.options
        quiet = options["silence_ping_logging"] and path in {
            options["ping_path"],
            options["ready_path"],
        }
        if options["request_logging"] and not quiet:
            print(f"{self.client_address[0]} - {format % args}", flush=True)  # noqa: T201 - its log

    # -- which page -------------------------------------------------------------------------

    def _serve(self) -> None:
        options = self.server.options
        path, prefix = urlsplit(self.path).path, options["proxy_prefix"]
        own: dict[str, Callable[[], None]] = {
            options["ping_path"]: lambda: self._say(200, b"OK", "text/plain"),
            options["ready_path"]: lambda: self._say(200, b"OK", "text/plain"),
            "/robots.txt": lambda: self._say(200, b"User-agent: *\nDisallow: /\n", "text/plain"),
            f"{prefix}/sign_in": lambda: self._sign_in(200),
            f"{prefix}/sign_out": self._sign_out,
            f"{prefix}/start": self._start,
            f"{prefix}/callback": self._callback,
            f"{prefix}/auth": self._auth,
            f"{prefix}/userinfo": self._user,
        }
        page = own.get(path)
        if page is not None:
            page()
        elif path.startswith(f"{prefix}/"):
            self._refuse(404, "Not Found", "there is no such page of the proxy")
        else:
            self._pass_on(path)

    def _pass_on(self, path: str) -> None:
        options = self.server.options
        open_to_all = _matches(options["skip_auth_routes"], self.command, path) or (
            options["skip_auth_preflight"] and self.command == "OPTIONS"
        )
        session = self._session()
        if not open_to_all:
            if session is None:
                self._not_signed_in(path)
                return
            if not self.server.sessions.allows(session["email"]):
                self._refuse(403, "Forbidden", "You do not have permission to access this page.")
                return
        try:
            forward(self, options, session)
        except OSError as error:
            self._say_aside(f"Error proxying to upstream server: {error}")
            self._refuse(
                502, "Bad Gateway", "There was a problem connecting to the upstream server."
            )

    def _not_signed_in(self, path: str) -> None:
        options = self.server.options
        wants_json = "application/json" in (self.headers.get("Accept") or "")
        if wants_json or _matches(options["api_routes"], self.command, path):
            body = json.dumps({"error": "Unauthorized"}).encode()
            self._say(_UNAUTHORIZED, body, "application/json")
        elif options["skip_provider_button"]:
            self._start(self.path)
        else:
            self._sign_in(_FORBIDDEN, self.path)

    # -- the proxy's own pages --------------------------------------------------------------

    def _sign_in(self, status: int, target: str | None = None) -> None:
        options = self.server.options
        if status == 200 and options["skip_provider_button"]:  # noqa: PLR2004 - HTTP
            self._start()
            return
        name = options["provider_display_name"] or _PROVIDERS[options["provider"]]
        self._say(status, pages.sign_in(options["proxy_prefix"], self._target(target), name))

    def _start(self, target: str | None = None) -> None:
        options, nonce = self.server.options, secrets.token_urlsafe(24)
        verifier = secrets.token_urlsafe(48)
        csrf = {"nonce": nonce, "rd": self._target(target), "verifier": verifier}
        query = {
            "client_id": options["client_id"],
            "redirect_uri": self._redirect_uri(),
            "response_type": "code",
            "scope": options["scope"] or "openid email profile",
            "state": _hashed(nonce),
            "nonce": _hashed(nonce + "oidc"),
        }
        if options["prompt"] or options["approval_prompt"]:
            name = "prompt" if options["prompt"] else "approval_prompt"
            query[name] = options[name]
        if options["code_challenge_method"]:
            plain = options["code_challenge_method"] == "plain"
            query["code_challenge_method"] = options["code_challenge_method"]
            query["code_challenge"] = verifier if plain else _hashed(verifier)
        value = self.server.sessions.sealed(csrf, options["cookie_csrf_expire"])
        login = self.server.sessions.issuer.endpoint("authorization_endpoint")
        cookie = self._cookie(self._csrf_name, value, options["cookie_csrf_expire"])
        self._go(f"{login}?{urlencode(query)}", cookie)

    def _callback(self) -> None:
        given = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "error" in given:
            why = f"The upstream identity provider returned an error: {given['error']}"
            self._refuse(_FORBIDDEN, "Forbidden", f"Login Failed: {why}")
            return
        cookies = self.headers.get("Cookie") or ""
        csrf = self.server.sessions.opened(cookies, self._csrf_name)
        if csrf is None or given.get("state") != _hashed(csrf["nonce"]):
            self._refuse(
                _FORBIDDEN,
                "Forbidden",
                "Login Failed: Unable to find a valid CSRF token. Please try again.",
            )
            return
        try:
            token = self._redeemed(given.get("code", ""), csrf["verifier"])
            session = self.server.sessions.signed_in(token, _hashed(csrf["nonce"] + "oidc"))
        except (InvalidTokenError, HTTPError, KeyError) as error:
            self._say_aside(f"Error redeeming code during OAuth2 callback: {error}")
            self._refuse(500, "Internal Server Error", "Error redeeming code")
            return
        if not self.server.sessions.allows(session["email"]):
            self._authenticated(session["email"], "AuthFailure")
            self._refuse(_FORBIDDEN, "Forbidden", "Invalid session: unauthorized")
            return
        self._authenticated(session["email"], "AuthSuccess")
        lifetime = self.server.options["cookie_expire"]
        value = self.server.sessions.sealed(session, lifetime)
        name = self.server.options["cookie_name"]
        self._go(
            csrf["rd"], self._cookie(name, value, lifetime), self._cookie(self._csrf_name, "", 0)
        )

    def _sign_out(self) -> None:
        self._go(self._target(), self._cookie(self.server.options["cookie_name"], "", 0))

    def _auth(self) -> None:
        session = self._session()
        if session is None:
            self._say(_UNAUTHORIZED, b"Unauthorized\n", "text/plain")
        elif not self.server.sessions.allows(session["email"]):
            self._say(_FORBIDDEN, b"Forbidden\n", "text/plain")
        else:
            made = {
                "X-Auth-Request-User": session["user"],
                "X-Auth-Request-Email": session["email"],
            }
            wanted = self.server.options["set_xauthrequest"]
            self._say(202, b"", "text/plain", made if wanted else {})

    def _user(self) -> None:
        session = self._session()
        if session is None:
            self._say(_UNAUTHORIZED, b"Unauthorized\n", "text/plain")
            return
        body = json.dumps({"user": session["user"], "email": session["email"]}).encode()
        self._say(200, body, "application/json")

    # -- parts ------------------------------------------------------------------------------

    def _session(self) -> dict[str, Any] | None:
        return self.server.sessions.of_request(self.headers)

    def _redeemed(self, code: str, verifier: str) -> str:
        options = self.server.options
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": options["client_id"],
            "client_secret": options["client_secret"],
            "redirect_uri": self._redirect_uri(),
        }
        if options["code_challenge_method"]:
            form["code_verifier"] = verifier
        found = fetch(self.server.sessions.issuer.endpoint("token_endpoint"), form)
        return str(found["id_token"])

    def _redirect_uri(self) -> str:
        options = self.server.options
        if options["redirect_url"]:
            return str(options["redirect_url"])
        scheme = "https" if options["cookie_secure"] else "http"
        host = self.headers.get("Host") or ""
        if options["reverse_proxy"]:
            scheme = self.headers.get("X-Forwarded-Proto") or scheme
            host = self.headers.get("X-Forwarded-Host") or host
        return f"{scheme}://{host}{options['proxy_prefix']}/callback"

    def _target(self, target: str | None = None) -> str:
        """Say where somebody goes in the end: never to a host nobody allowed."""
        asked = parse_qs(urlsplit(self.path).query).get("rd", [""])[0] if target is None else target
        host = urlsplit(asked).hostname
        if host is not None:
            allowed = self.server.options["whitelist_domains"]
            good = any(
                host == one.lstrip("*.") if one[:1] not in ".*" else host.endswith(one.lstrip("*"))
                for one in allowed
            )
            return asked if good else "/"
        inside = asked.startswith("/") and not re.match(r"/[/\\\s]", asked)
        return asked if inside else "/"

    @property
    def _csrf_name(self) -> str:
        return f"{self.server.options['cookie_name']}_csrf"

    def _cookie(self, name: str, value: str, lifetime: float) -> tuple[str, str]:
        options = self.server.options
        parts = [f"{name}={value}", f"Path={options['cookie_path']}", f"Max-Age={lifetime:.0f}"]
        if options["cookie_httponly"]:
            parts.append("HttpOnly")
        if options["cookie_secure"]:
            parts.append("Secure")
        if options["cookie_samesite"]:
            parts.append(f"SameSite={options['cookie_samesite'].capitalize()}")
        return "Set-Cookie", "; ".join(parts)

    def _go(self, where: str, *headers: tuple[str, str]) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: int, title: str, why: str) -> None:
        self._say(status, pages.error(status, title, why, self.server.options["proxy_prefix"]))

    def _say(
        self,
        status: int,
        body: bytes,
        kind: str = "text/html; charset=utf-8",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # what is left of a request's body would be read as the next request
        self.close_connection = self.close_connection or self.command not in {"GET", "HEAD"}
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _authenticated(self, email: str, status: str) -> None:
        if self.server.options["auth_logging"]:
            self._say_aside(f"{self.client_address[0]} - {email} [{status}] via OAuth2")

    def _say_aside(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - its log


@dataclass(frozen=True)
class _Route:
    """A rule such as ``GET=^/health$``, ``!=^/admin`` or a bare pattern."""

    method: str
    negated: bool
    pattern: str

    @classmethod
    def of(cls, text: str) -> _Route:
        found = re.fullmatch(r"([A-Z]*)(!?)=(.*)", text)
        if found is None:
            return cls(method="", negated=False, pattern=text)
        return cls(found[1], bool(found[2]), found[3])


def _matches(routes: list[str], method: str, path: str) -> bool:
    """Tell whether one of several rules is about a method and a path."""
    for text in routes:
        route = _Route.of(text)
        found = re.search(route.pattern, path) is not None
        if route.method in {"", method} and found != route.negated:
            return True
    return False


def _hashed(text: str) -> str:
    return encoded(hashlib.sha256(text.encode()).digest())
