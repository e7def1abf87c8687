"""Who is signed in: kept in a cookie that only this program can have written, or in a bearer token."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from localcloud.oauth2_proxy.tokens import (
    InvalidTokenError,
    Issuer,
    audiences,
    decoded,
    encoded,
)

if TYPE_CHECKING:
    from localcloud.oauth2_proxy.options import Options


class Sessions:
    """Makes and reads sessions."""

    def __init__(self, options: Options) -> None:
        """Trust the configured issuer, and the extra ones for bearer tokens."""
        self._options = options
        self.issuer = Issuer(options.issuer)
        own = {options["client_id"], *options["oidc_extra_audiences"]}
        self._trusted: list[tuple[Issuer, set[str]]] = [(self.issuer, own)]
        for one in options["extra_jwt_issuers"]:
            url, _, audience = one.partition("=")
            self._trusted.append((Issuer(url), {audience}))

    def of_request(self, headers: Any) -> dict[str, Any] | None:
        """Give the session of a request: by bearer token where those are taken, else by cookie."""
        kind, _, token = (headers.get("authorization") or "").partition(" ")
        if self._options["skip_jwt_bearer_tokens"] and kind.lower() == "bearer":
            found = self._of_bearer(token.strip())
            if found is not None:
                return found
        return self.opened(headers.get("cookie") or "", self._options["cookie_name"])

    def signed_in(self, token: str, nonce: str) -> dict[str, Any]:
        """Give the session of somebody who comes from signing in; InvalidTokenError if not."""
        claims = self.issuer.claims(token)
        if self._options["client_id"] not in audiences(claims):
            raise InvalidTokenError("audience from claim aud does not match")
        if claims.get("nonce") != nonce:
            raise InvalidTokenError("nonce does not match")
        return self._session(claims, token)

    def allows(self, email: str) -> bool:
        """Tell whether an address may enter: by its domain or by the file."""
        email = email.lower()
        domain = email.rpartition("@")[2]
        for one in self._options["email_domains"]:
            wanted = one.lower()
            if wanted in {"*", domain} or (wanted[:1] == "." and domain.endswith(wanted)):
                return True
        return email in self._options.emails

    def sealed(self, session: dict[str, Any], lifetime: float) -> str:
        """Write a cookie's value."""
        payload = encoded(json.dumps({**session, "until": time.time() + lifetime}).encode())
        return f"{payload}.{self._seal(payload)}"

    def opened(self, cookies: str, name: str) -> dict[str, Any] | None:
        """Read a cookie; None if there is none, or it is not ours, or too old."""
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(cookies)
        except CookieError:
            return None
        payload, _, seal = (jar[name].value if name in jar else "").partition(".")
        if not payload or not hmac.compare_digest(seal, self._seal(payload)):
            return None
        session: dict[str, Any] = json.loads(decoded(payload))
        return session if session["until"] > time.time() else None

    def _of_bearer(self, token: str) -> dict[str, Any] | None:
        for issuer, wanted in self._trusted:
            try:
                claims = issuer.claims(token)
                if wanted & audiences(claims):
                    return self._session(claims, token)
            except InvalidTokenError:
                continue
        return None

    def _session(self, claims: dict[str, Any], token: str) -> dict[str, Any]:
        subject = str(claims.get("sub", ""))
        email = str(claims.get("email") or subject)
        unverified = claims.get("email") and claims.get("email_verified") is False
        if unverified and not self._options["insecure_oidc_allow_unverified_email"]:
            raise InvalidTokenError(f"email in id_token ({email}) isn't verified")
        return {"user": subject, "email": email, "token": token}

    def _seal(self, payload: str) -> str:
        return encoded(hmac.new(self._options.secret, payload.encode(), hashlib.sha256).digest())
