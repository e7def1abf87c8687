"""What IAP itself says to browsers and programs, as far as it was seen."""

from __future__ import annotations

import html

GENERATED = {"x-goog-iap-generated-response": "true"}
"""How a client tells IAP's answers from the application's."""

AGENT_MISSING = (
    "The IAP service account is not provisioned. Please follow the instructions to create service "
    "account and rectify IAP and Cloud Run setup: "
    "https://cloud.google.com/iap/docs/enabling-cloud-run"
)


def invalid(why: str) -> bytes:
    """Return what a program reads whose token is none: one line, though it says text/html."""
    return f"Invalid IAP credentials: {why}".encode()


def denied(email: str, host: str) -> bytes:
    """Return the page for somebody who is known and may not enter."""
    return (
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
        "<title>You don't have access</title></head><body>\n"
        "<h1>You don't have access</h1>\n"
        f"<p>You don't have access to {html.escape(host)}. If you should have access, contact its "
        f"administrator.</p>\n<p>Signed in as {html.escape(email)}.</p>\n"
        "<p>That's all we know.</p></body></html>\n"
    ).encode()
