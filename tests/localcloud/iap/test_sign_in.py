"""Browsers are sent to sign in, come back with a session, and only those let in get on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from localcloud.identity.tokens import MANAGED_CLIENT
from tests.localcloud.iap.guarded import CLIENT, HOST, MEMBER, URL, ask, settle

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from localcloud.transport import Response
    from tests.localcloud.run.echo import Caller


class Browser:
    """Follows redirects one by one and keeps cookies of one host."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.cookies: dict[str, str] = {}

    def get(self, url: str, **headers: str) -> Response:
        """Fetch one page."""
        sent = {"accept": "text/html,*/*", **headers}
        if urlsplit(url).hostname == HOST and self.cookies:
            sent["cookie"] = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        answer = self._cloud.request("GET", url, headers=sent)
        if "set-cookie" in answer.headers:
            pair, *attributes = answer.headers["set-cookie"].split("; ")
            name, _, value = pair.partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in attributes:
                del self.cookies[name]
        return answer

    def sign_in(self, url: str, email: str) -> Response:
        """Ask for a page, say who it is on Google's page, and go where one is sent."""
        page = self.get(self.get(url).headers["location"] + f"&{urlencode({'email': email})}")
        while page.status == 302 and "location" in page.headers:
            page = self.get(page.headers["location"])
        return page


@pytest.fixture
def browser(cloud: Cloud) -> Browser:
    """A browser without cookies."""
    return Browser(cloud)


def test_a_browser_is_sent_to_the_sign_in_page(browser: Browser) -> None:
    """302 to Google, with the body that programs know."""
    answer = browser.get(f"{URL}/experiments?a=b")

    where = urlsplit(answer.headers["location"])
    query = {name: values[0] for name, values in parse_qs(where.query).items()}
    assert answer.status == 302
    assert answer.text == "Invalid IAP credentials: empty token"
    assert where._replace(query="").geturl() == "https://accounts.google.com/o/oauth2/v2/auth"
    assert query["client_id"] == MANAGED_CLIENT
    assert query["redirect_uri"].endswith(":handleRedirect")


@pytest.mark.parametrize(
    ("method", "accept"), [("POST", "*/*"), ("PUT", "text/html"), ("GET", "application/json")]
)
def test_who_cannot_follow_is_told(cloud: Cloud, method: str, accept: str) -> None:
    """No redirect for what is no page: 401."""
    answer = cloud.request(method, URL, headers={"accept": accept})

    assert answer.status == 401
    assert answer.text == "Invalid IAP credentials: empty token"


def test_a_member_signs_in_once(browser: Browser) -> None:
    """After the sign-in the page that was wanted comes, and the next one without asking."""
    page = browser.sign_in(f"{URL}/experiments", MEMBER)
    again = browser.get(f"{URL}/more")

    assert page.json()["path"] == "/experiments"
    found = again.json()["headers"]
    assert found["x-goog-authenticated-user-email"] == f"accounts.google.com:{MEMBER}"
    assert "GCP_IAAP" not in found.get("cookie", "")


def test_a_non_member_signs_in_in_vain(browser: Browser) -> None:
    """The page says that there is no access, and who was signed in."""
    page = browser.sign_in(URL, "bo@example.com")

    assert page.status == 403
    assert "You don't have access" in page.text
    assert "bo@example.com" in page.text


def test_googles_own_client_is_for_the_organisation(browser: Browser) -> None:
    """A person of another domain is stopped at the sign-in page."""
    page = browser.sign_in(URL, "eve@elsewhere.org")

    assert page.status == 403
    assert "org_internal" in page.text


def test_a_client_of_ones_own_is_for_everybody_on_the_list(
    cloud: Cloud, browser: Browser, owner: Caller
) -> None:
    """With a brought client people from outside can sign in, and the policy decides."""
    settle(owner, {"accessSettings": {"oauthSettings": {"clientId": CLIENT, "clientSecret": "s"}}})
    cloud.grant("user:eve@elsewhere.org", "roles/iap.httpsResourceAccessor")

    assert browser.sign_in(URL, "eve@elsewhere.org").status == 200


def test_a_session_ends(browser: Browser, clock: VirtualClock) -> None:
    """After an hour one signs in again."""
    browser.sign_in(URL, MEMBER)
    clock.advance(3700)

    assert browser.get(URL).status == 302


def test_a_session_can_be_cleared(browser: Browser) -> None:
    """The address for that forgets the cookie."""
    browser.sign_in(URL, MEMBER)
    browser.get(f"{URL}/?gcp-iap-mode=CLEAR_LOGIN_COOKIE")

    assert browser.get(URL).status == 302


def test_a_cookie_is_for_one_host(cloud: Cloud, browser: Browser) -> None:
    """Somebody else's cookie, or one made up, is none."""
    browser.sign_in(URL, MEMBER)
    name = next(one for one in browser.cookies if one.startswith("GCP_IAAP"))
    sealed = cloud.tokens.minted("iap.session.", {"e": MEMBER, "h": "other", "x": 9999999999})

    for value in ("", "x", browser.cookies[name] + "x", sealed):
        assert ask(cloud, cookie=f"{name}={value}").status == 302


def test_removal_from_the_list_works_at_once(browser: Browser, cloud: Cloud, owner: Caller) -> None:
    """A session says who it is, not that he may."""
    browser.sign_in(URL, MEMBER)
    cloud.iam.set_policy(
        "//iap.googleapis.com/projects/berth-local/iap_web/cloud_run-europe-west1/services/hello",
        {"bindings": []},
    )
    del owner

    assert browser.get(URL).status == 403


def test_a_ticket_is_for_the_browser_that_set_out(cloud: Cloud, browser: Browser) -> None:
    """Whoever is sent somebody else's way back is not signed in with it, nor anybody twice."""
    first = browser.get(URL).headers["location"]
    code = browser.get(f"{first}&email={MEMBER}").headers["location"]
    back = browser.get(code).headers["location"]
    other = Browser(cloud)

    assert other.get(back).status == 401
    assert other.get(code).status == 400
    assert browser.get(back).status == 302
    assert browser.get(back).status == 401


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"code": "4/l.x.y"}, "Malformed auth code"),
        ({"state": "iap.state.x.y"}, "state"),
        ({"error": "access_denied"}, "access_denied"),
    ],
)
def test_a_way_back_that_was_tampered_with(
    browser: Browser, changed: dict[str, str], words: str
) -> None:
    """IAP takes only its own state and codes for its own client."""
    first = browser.get(URL).headers["location"]
    code = urlsplit(browser.get(f"{first}&email={MEMBER}").headers["location"])
    query = {name: values[0] for name, values in parse_qs(code.query).items()} | changed

    answer = browser.get(code._replace(query=urlencode(query)).geturl())

    assert answer.status == 400
    assert words in answer.text


def exchange(cloud: Cloud, **form: str) -> Any:
    """Ask the token endpoint."""
    body = urlencode({"grant_type": "authorization_code", "client_secret": "s", **form})
    return cloud.request("POST", "https://oauth2.googleapis.com/token", body=body.encode()).json()


def code_for(cloud: Cloud, **more: str) -> str:
    """Sign in at a client that is none of IAP's; returns the code."""
    query = {
        "client_id": CLIENT,
        "redirect_uri": "https://app.example.com/cb",
        "response_type": "code",
        "scope": "openid email",
        "email": MEMBER,
        **more,
    }
    url = f"https://accounts.google.com/o/oauth2/v2/auth?{urlencode(query)}"
    where = cloud.request("GET", url).headers["location"]
    return parse_qs(urlsplit(where).query)["code"][0]


def test_any_program_can_use_the_sign_in_page(cloud: Cloud) -> None:
    """The code gives an ID token for the client that asked, once."""
    code = code_for(cloud, nonce="n1")
    given = {"client_id": CLIENT, "redirect_uri": "https://app.example.com/cb", "code": code}

    claims = cloud.tokens.verify_id_token(exchange(cloud, **given)["id_token"])

    assert claims is not None
    assert (claims["aud"], claims["email"], claims["nonce"]) == (CLIENT, MEMBER, "n1")
    assert exchange(cloud, **given)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_id": "other"}, "invalid_grant"),
        ({"redirect_uri": "https://evil.example.com/"}, "redirect_uri_mismatch"),
        ({"code_verifier": "wrong"}, "invalid_grant"),
        ({"client_secret": ""}, "invalid_request"),
        ({"code": "4/l.e30.x"}, "invalid_grant"),
    ],
)
def test_a_code_is_for_one_client_and_one_address(
    cloud: Cloud, changed: dict[str, str], error: str
) -> None:
    """Whoever stole a code cannot redeem it."""
    code = code_for(cloud, code_challenge="right", code_challenge_method="plain")
    given = {
        "client_id": CLIENT,
        "redirect_uri": "https://app.example.com/cb",
        "code": code,
        "code_verifier": "right",
    }

    assert exchange(cloud, **{**given, **changed})["error"] == error


def test_a_code_grows_old(cloud: Cloud, clock: VirtualClock) -> None:
    """After ten minutes it is worthless."""
    code = code_for(cloud)
    clock.advance(700)

    given = {"client_id": CLIENT, "redirect_uri": "https://app.example.com/cb", "code": code}
    assert exchange(cloud, **given)["error"] == "invalid_grant"


@pytest.mark.parametrize("missing", ["client_id", "redirect_uri", "scope", "response_type"])
def test_the_sign_in_page_wants_to_know(cloud: Cloud, missing: str) -> None:
    """A request that says too little gets a page and no redirect."""
    query = {
        "client_id": CLIENT,
        "redirect_uri": "https://app.example.com/cb",
        "response_type": "code",
        "scope": "openid",
    }
    del query[missing]

    answer = cloud.request(
        "GET", f"https://accounts.google.com/o/oauth2/v2/auth?{urlencode(query)}"
    )

    assert answer.status == 400
    assert missing in answer.text
