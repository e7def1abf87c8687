"""The pages of the stand-in."""

from __future__ import annotations

import html

_PAGE = (
    "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><title>{title}</title></head>\n"
    "<body><h1>{title}</h1>\n{body}\n<footer>A stand-in for OAuth2 Proxy.</footer></body></html>\n"
)


def sign_in(prefix: str, target: str, provider: str) -> bytes:
    """Return the page with the button."""
    body = (
        f'<form method=GET action="{html.escape(prefix)}/start">'
        f'<input type=hidden name=rd value="{html.escape(target)}">'
        f"<button>Sign in with {html.escape(provider)}</button></form>"
    )
    return _PAGE.format(title="Sign In", body=body).encode()


def error(status: int, title: str, why: str, prefix: str) -> bytes:
    """Return the page of a refusal."""
    link = f'<p><a href="{html.escape(prefix)}/sign_in">Sign in</a></p>'
    return _PAGE.format(title=f"{status} {title}", body=f"<p>{html.escape(why)}</p>{link}").encode()
