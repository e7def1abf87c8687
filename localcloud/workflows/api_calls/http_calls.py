"""HTTP as workflows do it: building requests, reading replies, and which errors they become."""

import re
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlsplit

from localcloud.workflows import limits
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Auth, HttpFault, HttpReply, HttpRequest, Running
from localcloud.workflows.errors import (
    WorkflowError,
    failure,
    limit_error,
    type_error,
    value_error,
)
from localcloud.workflows.values import expect_type, from_json, shown, text_of, to_json

USER_AGENT: Final = "GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
CLOUD_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GOOGLE_HOSTS: Final = (
    ".googleapis.com",
    ".run.app",
    ".cloudfunctions.net",
    ".appspot.com",
    ".cloud.goog",
)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_JSON: Final = re.compile(r"application/(json|[^;]*\+json)")


def send(frame: Frame, request: HttpRequest) -> Running:
    """Perform a request; give the reply or raise what went wrong, without looking at the status."""
    host = urlsplit(request.url).hostname or ""
    if not host.endswith(_GOOGLE_HOSTS):
        frame.run.external += 1
    outcome = yield request
    if isinstance(outcome, HttpFault):
        raise _fault(outcome)
    if len(outcome.body) > limits.RESPONSE_BYTES:
        message = f"HTTP response is larger than {limits.RESPONSE_BYTES} bytes"
        raise limit_error(message, "ResponseSizeLimitExceededError")
    return outcome


def _fault(fault: HttpFault) -> WorkflowError:
    tags, message = {
        "refused": (("ConnectionFailedError",), "connection could not be established"),
        "reset": (("ConnectionError",), "connection broke before the full response was received"),
        "timeout": (("TimeoutError", "OSError"), "request timed out"),
        "auth": (("AuthError",), "credentials for the request could not be generated"),
    }[fault.kind]
    detail = f"{message}: {fault.message}" if fault.message and fault.kind != "timeout" else message
    return failure(tags[0], detail, *tags[1:])


def response(reply: HttpReply) -> dict[str, Any]:
    """Give a reply as the map that ``http.*`` calls return."""
    headers = {_canonical(name): value for name, value in reply.headers.items()}
    return {"body": _body(reply.body, headers), "code": reply.status, "headers": headers}


def http_error(answer: dict[str, Any]) -> WorkflowError:
    """Build the error for a status of 400 and above."""
    message = f"HTTP server responded with error code {answer['code']}"
    return failure(
        "HttpError", message, code=answer["code"], headers=answer["headers"], body=answer["body"]
    )


def _canonical(name: str) -> str:
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def _body(content: bytes, headers: dict[str, str]) -> Any:
    kind = headers.get("Content-Type", "").strip().lower()
    if kind.partition(";")[0].strip() == "application/json":
        if not content:
            return None
        try:
            return from_json(content)
        except ValueError:
            pass  # it only claims to be JSON; the text is what there is
    found = re.search(r"charset=\"?([\w.-]+)", kind)
    try:
        return content.decode(found.group(1) if found else "utf-8")
    except (UnicodeError, LookupError):
        return content


# -- building ------------------------------------------------------------------------------


def request(method: str, arguments: dict[str, Any]) -> HttpRequest:
    """Build a request from the arguments of an ``http.*`` call."""
    for name in ("private_service_name", "ca_certificate"):
        if arguments.get(name) is not None:
            raise value_error(f"{name} is not supported here: there is no private network")
    url: str = expect_type(arguments["url"], str, "url")
    if not _is_address(url):
        raise value_error(f"url must be an http or https URL; got: {shown(url)}")
    timeout = limits.HTTP_TIMEOUT
    if arguments.get("timeout") is not None:
        timeout = float(expect_type(arguments["timeout"], float, "timeout"))
    if not 0 < timeout <= limits.HTTP_TIMEOUT_MOST:
        most = int(limits.HTTP_TIMEOUT_MOST)
        raise value_error(f"timeout must be more than 0 and at most {most} seconds; got: {timeout}")
    headers = _headers(arguments.get("headers"))
    body = encode_body(arguments.get("body"), headers)
    return HttpRequest(
        method,
        with_query(url, arguments.get("query")),
        with_user_agent(headers),
        body,
        timeout,
        _auth(arguments.get("auth"), url),
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        return False


def _headers(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    headers = {}
    for name, value in expect_type(given, dict, "headers").items():
        expect_type(name, str, "the name of a header")
        text = headers[name] = _plain(value, f"header '{name}'")
        if not _HEADER_NAME.fullmatch(name) or re.search(r"[\r\n\0]", text):
            raise value_error(f"header {shown(name)} cannot be sent as it is")
    return headers


def _plain(value: Any, what: str) -> str:
    text = text_of(value)
    if text is None:
        raise type_error(f"{what} must be a string, a number or a boolean; got: {shown(value)}")
    return text


def with_user_agent(headers: dict[str, str]) -> dict[str, str]:
    """Add the name of the service to the User-Agent."""
    for name, value in headers.items():
        if name.lower() == "user-agent":
            return {**headers, name: f"{value} {USER_AGENT}"}
    return {**headers, "User-Agent": USER_AGENT}


def with_query(url: str, query: Any) -> str:
    """Append query parameters to a URL."""
    if query is None:
        return url
    pairs = []
    for name, value in expect_type(query, dict, "query").items():
        for item in value if type(value) is list else [value]:
            text = _plain(item, f"query parameter '{name}'")
            pairs.append(f"{quote(str(name), safe='')}={quote(text, safe='')}")
    if not pairs:
        return url
    address, mark, fragment = url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{'&'.join(pairs)}{mark}{fragment}"


def encode_body(body: Any, headers: dict[str, str]) -> bytes:
    """Encode a body by its content type, or by its own type; sets the header if there is none."""
    given = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    if body is None:
        return b""
    if given is None:
        if type(body) is bytes:
            headers["Content-Type"] = "application/octet-stream"
            return body
        headers["Content-Type"] = "application/json; charset=utf-8"
        return to_json(body).encode()
    if type(body) is bytes:
        return body
    kind = given.partition(";")[0].strip().lower()
    if _JSON.fullmatch(kind):
        if type(body) not in (dict, list):
            raise type_error(f"a body sent as {kind} must be a map or a list; got: {shown(body)}")
        return to_json(body).encode()
    if kind == "application/x-www-form-urlencoded":
        text: str = expect_type(body, str, f"a body sent as {kind}")
        pairs = (pair.partition("=") for pair in text.split("&"))
        return "&".join(quote_plus(a) + sign + quote_plus(b) for a, sign, b in pairs).encode()
    if kind.startswith("text/"):
        return str(expect_type(body, str, f"a body sent as {kind}")).encode()
    raise value_error(f"content type '{kind}' is not supported for a body of this type")


def scopes_of(given: Any) -> tuple[str, ...]:
    """Read scopes: a list, or a string with spaces or commas between them."""
    if given is None:
        return (CLOUD_SCOPE,)
    if type(given) is list:
        return tuple(expect_type(item, str, "scope") for item in given)
    return tuple(re.split(r"[\s,]+", expect_type(given, str, "scopes").strip()))


def _auth(given: Any, url: str) -> Auth | None:
    if given is None:
        return None
    auth: dict[Any, Any] = expect_type(given, dict, "auth")
    for key in auth:
        if key not in ("type", "scope", "scopes", "audience"):
            raise value_error(f"unknown key '{key}' in auth")
    kind = auth.get("type")
    if kind == "OAuth2":
        return Auth("OAuth2", scopes=scopes_of(auth.get("scopes", auth.get("scope"))))
    if kind == "OIDC":
        audience: str = expect_type(auth.get("audience", url), str, "audience")
        return Auth("OIDC", audience=audience)
    raise value_error(f"auth type must be OAuth2 or OIDC; got: {shown(kind)}")
