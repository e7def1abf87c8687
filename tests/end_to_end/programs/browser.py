"""Open a page in headless Chromium, logging in as people do, and wait for words: CHROMIUM URL WORDS.

The login is read from BROWSER_USER and BROWSER_PASSWORD. Speaks the DevTools protocol over a pipe.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

chromium, url, words = sys.argv[1:]
LOGIN = {
    "response": "ProvideCredentials",
    "username": os.environ["BROWSER_USER"],
    "password": os.environ["BROWSER_PASSWORD"],
}
SECONDS = 60


class Browser:
    """One page, and what it says about itself."""

    def __init__(self, reading: int, writing: int) -> None:
        self._incoming = os.fdopen(reading, "rb")
        self._outgoing = os.fdopen(writing, "wb")
        self._stream = self._messages()
        self._number = 0
        self._session: str | None = None

    def attach(self) -> None:
        """Open a page, which asks us for the login."""
        target = self("Target.createTarget", url="about:blank")["targetId"]
        attached = self("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self("Fetch.enable", handleAuthRequests=True)

    def __call__(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a command and return its result; deal with what comes in between."""
        number = self._send(method, given)
        for message in self._stream:
            if message.get("id") == number:
                return dict(message.get("result", {}))
            self._react(message)
        raise SystemExit("the browser is gone")

    def _send(self, method: str, given: dict[str, Any]) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if self._session is not None:
            message["sessionId"] = self._session
        self._outgoing.write(json.dumps(message).encode() + b"\0")
        self._outgoing.flush()
        return self._number

    def _messages(self) -> Iterator[dict[str, Any]]:
        text = b""
        while piece := self._incoming.read1(65536):
            *whole, text = (text + piece).split(b"\0")
            for each in whole:
                yield json.loads(each)

    def _react(self, message: dict[str, Any]) -> None:
        request = message.get("params", {}).get("requestId")
        if message.get("method") == "Fetch.authRequired":
            given = {"requestId": request, "authChallengeResponse": LOGIN}
            self._send("Fetch.continueWithAuth", given)
        elif message.get("method") == "Fetch.requestPaused":
            self._send("Fetch.continueRequest", {"requestId": request})


def main() -> None:
    """Start Chromium, look, and print what the page shows."""
    to_browser, commands = os.pipe()
    answers, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        options = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={home}", "--remote-debugging-pipe", "--no-proxy-server"),
        ]
        # Chromium reads commands from descriptor 3 and answers on 4.
        shell = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$0" "$@"'
        chrome = subprocess.Popen(
            ["bash", "-c", shell, chromium, *options],
            env={"PATH": os.environ["PATH"], "HOME": home},
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            print(json.dumps({"shown": look(Browser(answers, commands))}))
        finally:
            chrome.kill()
            chrome.wait()


def look(browser: Browser) -> str:
    """Return what is to be read on the page once the words are there, or at the end."""
    browser.attach()
    browser("Page.navigate", url=url)
    deadline = time.monotonic() + SECONDS
    text = ""
    while words not in text and time.monotonic() < deadline:
        time.sleep(0.3)
        found = browser("Runtime.evaluate", expression="document.body.innerText")
        text = str(found.get("result", {}).get("value", ""))
    return text


if __name__ == "__main__":
    main()
