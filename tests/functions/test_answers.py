"""What an answer means, whatever a server may say in it."""

from __future__ import annotations

import pytest
import requests

from functions.verification.answers import may_pass, said, sent_to_sign_in


def redirect(where: str) -> requests.Response:
    """Return an answer that sends its reader elsewhere."""
    answer = requests.Response()
    answer.status_code, answer._content = 302, b""
    answer.headers["Location"] = where
    return answer


@pytest.mark.parametrize(
    ("where", "signs_in"),
    [
        ("https://accounts.google.com/o/oauth2/v2/auth?state=s", True),
        ("http://accounts.google.com/o/oauth2/v2/auth", False),
        ("https://accounts.google.com.example.net/", False),
        ("https://example.net/accounts.google.com", False),
        ("/login", False),
        ("https://[there", False),
        ("", False),
    ],
)
def test_only_google_is_taken_for_google_s_sign_in(where: str, *, signs_in: bool) -> None:
    """By scheme and host; what is no address at all is nobody's sign-in, and no fault of ours."""
    answer = redirect(where)

    assert sent_to_sign_in(answer) is signs_in
    assert may_pass(answer) is signs_in
    assert said(answer).startswith("302, sent to ")
    assert "state" not in said(answer)
