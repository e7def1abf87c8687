"""The one way every call takes: route, identify, check, authorise, handle, check, log."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Any

from localcloud import refusals
from localcloud.calls import CallRecord
from localcloud.documents import answers, fields, publication, validation
from localcloud.documents.payload import MOST_JSON, read_json
from localcloud.documents.router import Route, UnknownRouteError
from localcloud.doors.uploads import is_upload, spooled
from localcloud.errors import ApiError
from localcloud.identity.principals import ANONYMOUS, unauthenticated
from localcloud.org_policies import forbidding
from localcloud.service import Call, Reply
from localcloud.transport import (
    ConnectionFailed,
    Download,
    Request,
    Response,
    json_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.cloud import Cloud
    from localcloud.identity.principals import Principal
    from localcloud.service import Needs, Service

__all__ = ["MOST_JSON", "Pipeline"]

log = logging.getLogger(__name__)


class Pipeline:
    """Takes requests for API hosts to handlers and answers back."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve one cloud."""
        self._cloud = cloud

    def handle(self, request: Request) -> Response:
        """Answer one request; raises ConnectionFailed when a fault says the reply is lost."""
        published = publication.document(self._cloud.router, request)
        if published is not None:
            return published
        verb = _verb(request)
        try:
            route = self._cloud.router.find(request.host, verb, request.raw_path)
        except UnknownRouteError as error:
            return refusals.page(error.status, verb, request.path)
        progress = _Progress()
        try:
            if request.upload is None and is_upload(request, route):
                request.upload = spooled(request, self.spool_folder)
            response = self._answer(route, verb, request, progress)
        except ApiError as error:
            response = self._refusal(route.service, error)
        except ConnectionFailed:
            self._record(route, progress, 0)
            raise
        except Exception as error:  # a bug must look like Google's 500 and name itself in the log
            log.exception("%s failed", route.method_id)
            response = self._refusal(route.service, ApiError(500, _crash(error)))
        finally:
            if request.upload is not None:
                # a handler that keeps the file has moved it by now
                request.upload.path.unlink(missing_ok=True)
        self._record(route, progress, response.status)
        return response

    @property
    def spool_folder(self) -> Path:
        """Where bodies of uploads wait for their handler."""
        return self._cloud.state / "spool"

    def route(self, request: Request) -> Route | None:
        """Find the route before the body has arrived, or None."""
        try:
            return self._cloud.router.find(request.host, _verb(request), request.raw_path)
        except UnknownRouteError:
            return None

    # -- the steps ------------------------------------------------------------------------

    def _answer(self, route: Route, verb: str, request: Request, progress: _Progress) -> Response:
        if route.handler is not None:
            return self._extra(route, request, progress)
        method = route.method
        if method is None:
            raise LookupError("a route has a method or a handler")
        document = self._cloud.router.document(route.service)
        modern = route.service.errors == "modern"
        progress.caller = self._cloud.tokens.identify(
            _with_query_token(request), audience=f"https://{route.service.host}/"
        )
        query, standard = validation.check_query(document, method, request.query, snake=modern)
        encoding = _encoding(standard)
        params = {**query, **route.params, **_upload_params(standard)}
        params["alt"] = "media" if encoding == "media" else "json"
        body: Any = {}
        if request.upload is not None:
            body = request.upload.metadata
        elif not route.upload or verb == "POST":
            body = read_json(request, style=route.service.errors)
        mask = standard.get("fields")
        if mask:
            fields.check(document, method.response, mask, legacy=not modern)
        found = self._run(route, params, body, request, progress)
        if isinstance(found, Response):
            return found
        if mask:
            found = fields.select(found, mask)
        if encoding == "enum-encoding=int" and method.response is not None:
            found = answers.number_enums(document, method.response, found)
        pretty = standard.get("prettyPrint", "true").lower() != "false"
        return json_response(200, found, pretty=pretty)

    def _run(
        self,
        route: Route,
        params: dict[str, Any],
        body: Any,
        request: Request,
        progress: _Progress,
    ) -> dict[str, Any] | Response:
        service, method, cloud = route.service, route.method, self._cloud
        if method is None:
            raise LookupError("only methods of the document come here")
        document = cloud.router.document(service)
        handler = service.handlers.get(method.id)
        if handler is None:
            raise ApiError(
                501,
                "Operation is not implemented, or supported, or enabled: the local cloud has no "
                f"handler for {method.id}.",
            )
        needs = service.permissions[method.id]
        caller = progress.caller
        if caller.anonymous and not needs.anonymous:
            raise unauthenticated(missing=True, key=any(name == "key" for name, _ in request.query))
        if not (caller.anonymous or caller.good_for(method.scopes)):
            raise refusals.insufficient_scopes(service, method)
        self.check_enabled(service)
        checked = validation.check_body(
            document,
            method,
            body,
            required=service.required.get(method.id, ()) if not _continues(params) else (),
            snake=service.errors == "modern",
            keep_nulls=service.errors == "legacy" and method.http_method == "PATCH",
        )
        call = Call(
            cloud=cloud,
            service=service,
            method=method.id,
            http_method=request.method.upper(),
            url=request.url,
            params=params,
            body=checked,
            headers=request.headers,
            caller=caller,
            upload=request.upload,
            raw=request.body,
        )
        progress.resource = call.resource
        self._authorise(call, needs)
        forbidding.check(call)
        cloud.limits.take(method.id)
        takes = cloud.latency.get(method.id, 0.0)
        # operations take their time by themselves
        if takes and not (method.response or "").endswith("Operation"):
            cloud.clock.pause(takes)
        found = self._carry_out(call, handler)
        if isinstance(found, Response):
            return found
        return dict(answers.check_response(document, method, found or {}))

    def _extra(self, route: Route, request: Request, progress: _Progress) -> Response:
        caller = self._cloud.tokens.identify(request.headers)
        progress.caller = caller
        self.check_enabled(route.service)
        handler = route.handler
        if handler is None:
            raise LookupError("an extra route has a handler")
        call = Call(
            cloud=self._cloud,
            service=route.service,
            method=route.name,
            http_method=request.method.upper(),
            url=request.url,
            params={**dict(request.query), **route.params},
            body={},
            headers=request.headers,
            caller=caller,
            upload=request.upload,
            raw=request.body,
        )
        found = self._carry_out(call, handler)
        # who signed a URL is known only to its handler
        progress.caller = call.caller
        return found if isinstance(found, Response) else json_response(200, found or {})

    def _carry_out(self, call: Call, handler: Callable[[Call], Any]) -> Any:
        """Run the handler and whatever was planned to go wrong around it."""
        cloud = self._cloud
        fault = cloud.faults.take(call.method)
        if fault is not None:
            fault.before(cloud.clock)
        with cloud.store.past.seen_by(call.method):
            found = handler(call)
        if fault is not None:
            fault.afterwards()
        if isinstance(found, Download):
            headers = {"content-type": found.content_type, **found.headers}
            return Response(found.status, headers, download=found)
        return _reply(found) if isinstance(found, Reply) else found

    def check_enabled(self, service: Service) -> None:
        """Refuse calls of an API that the project has not enabled."""
        if self._cloud.usable(service.host):
            return
        title = self._cloud.router.document(service).title
        raise refusals.service_disabled(service, title=title, number=self._cloud.number)

    def _authorise(self, call: Call, needs: Needs) -> None:
        if not needs.permissions:
            return
        resource = needs.resource(call) if needs.resource is not None else call.resource
        attributes = {}
        if call.method.endswith(".setIamPolicy"):
            policy = call.body.get("policy", call.body)
            full = f"//{call.service.host}/{resource}"
            attributes["iam.googleapis.com/modifiedGrantsByRole"] = self._cloud.iam.modified_roles(
                full, policy
            )
        for permission in needs.permissions:
            api = needs.api or call.service.api
            words = call.service.denial
            if self._cloud.iam.allowed(
                call.caller.member, permission, api, resource, attributes=attributes
            ) or (needs.also is not None and needs.also(call, permission)):
                continue
            if words is not None:
                raise words(call, permission)
            if call.caller.anonymous:
                raise refusals.anonymous(call.service, permission)
            self._cloud.iam.check(
                call.caller.member, permission, api, resource, attributes=attributes
            )

    def _refusal(self, service: Service, error: ApiError) -> Response:
        return json_response(error.code, error.render(service.errors), error.headers)

    def _record(self, route: Route, progress: _Progress, status: int) -> None:
        self._cloud.calls.append(
            CallRecord(
                who=progress.caller.email,
                method=route.method_id,
                status=status,
                when=self._cloud.clock.now(),
                resource=progress.resource,
            )
        )


class _Progress:
    """What is known about a call so far, for the log."""

    def __init__(self) -> None:
        self.caller: Principal = ANONYMOUS
        self.resource = ""


def _encoding(standard: dict[str, str]) -> str:
    """Say how the answer is wanted: json, media, or json with enums as numbers."""
    alt, _, encoding = standard.get("alt", "json").partition(";")
    if alt not in {"json", "media"}:
        raise ApiError(400, f"Invalid value at 'alt': {alt} is not supported here, json is")
    return encoding if encoding == "enum-encoding=int" else alt


def _upload_params(standard: dict[str, str]) -> dict[str, str]:
    """Give handlers of uploads what the protocol says about them."""
    return {key: standard[key] for key in ("uploadType", "upload_id") if standard.get(key)}


def _verb(request: Request) -> str:
    verb = request.method.upper()
    if verb != "POST":
        # only what has a body can stand for something else
        return verb
    return request.headers.get("x-http-method-override", "").upper() or verb


def _continues(params: dict[str, Any]) -> bool:
    return "upload_id" in params


def _with_query_token(request: Request) -> dict[str, str]:
    token = next((value for key, value in request.query if key == "access_token"), None)
    if token and "authorization" not in request.headers:
        return {**request.headers, "authorization": f"Bearer {token}"}
    return request.headers


def _reply(reply: Reply) -> Response:
    if isinstance(reply.body, bytes):
        return Response(reply.status, dict(reply.headers), reply.body)
    if reply.body is None:
        return Response(reply.status, dict(reply.headers))
    return json_response(reply.status, reply.body, reply.headers)


def _crash(error: Exception) -> str:
    """Return Google's words for a crash, and ours where it is this machine's disk."""
    full = getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error)
    space = " There is no space left where the local cloud keeps its state." if full else ""
    return f"Internal error encountered.{space}"
