"""Real browsers: Chromium, and Firefox over WebDriver BiDi; both driven by Playwright.

Playwright drives the Firefox that a system has by a channel of its own, and does not tell what a page from the disk
asks of the network there. So there is a second way to Firefox, without Playwright; and :class:`Tab`, which all ways
give: a page from the disk, a function called in it, a file chosen, what was asked of the network, and what went wrong.

Where a browser is not installed the tests are skipped with the reason; ``MANABACKUP_BROWSERS`` set to ``required``
lets them fail instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

CHROMIUM = shutil.which("chromium")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PREFERENCES = {
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.auto": False,
    "extensions.update.enabled": False,
}
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_SECONDS = 300
"""Of waiting for one answer, on a machine that does much else."""


class Tab(Protocol):
    """One page in a browser."""

    requests: list[str]
    """Addresses that were asked for, the page's own included."""
    errors: list[str]
    """What the console and nobody caught."""

    def open(self, page: Path) -> None:
        """Load a page from the disk."""

    def call(self, function: str, *arguments: Any) -> Any:
        """What a JavaScript function gives, or resolves to, as JSON."""

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in an input."""


def require(browser: str | None, name: str, package: str) -> None:
    """Skips the test, or fails where browsers are required, unless a browser and its driver are there."""
    missing = [what for what, there in ((name, browser), (f"the package {package}", _has(package))) if not there]
    if not missing:
        return
    reason = f"needs {' and '.join(missing)}: `make viewer-tools`, and apt-get install chromium firefox-esr"
    if os.environ.get("MANABACKUP_BROWSERS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def _has(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


# --- by Playwright ----------------------------------------------------------------------------------------------------


@contextmanager
def driver() -> Iterator[Any]:
    """Playwright itself; there may be one at a time."""
    require(CHROMIUM, "chromium", "playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@contextmanager
def launched(playwright: Any, name: str, preferences: Mapping[str, Any] = {}) -> Iterator[Any]:
    """Playwright's ``Browser``, headless, with a profile of its own: ``chromium`` or ``firefox``.

    ``preferences`` are Firefox's, for what Playwright can ask of Chromium alone.
    """
    if name == "chromium":
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
    else:
        require(FIREFOX, "firefox-esr", "playwright")
        browser = playwright.firefox.launch(
            channel="moz-firefox", executable_path=FIREFOX, firefox_user_prefs={**_PREFERENCES, **preferences}
        )
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """Chromium alone."""
    with driver() as playwright, launched(playwright, "chromium") as browser:
        yield browser


class PlaywrightTab:
    """A tab of Playwright's, in the terms of :class:`Tab`. ``page`` is Playwright's own."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(_SECONDS * 1000)
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    def open(self, page: Path) -> None:
        self.page.goto(page.as_uri())

    def call(self, function: str, *arguments: Any) -> Any:
        return self.page.evaluate(f"(given) => ({function})(...given)", list(arguments))

    def choose(self, selector: str, file: Path) -> None:
        self.page.set_input_files(selector, str(file))

    def close(self) -> None:
        self.page.close()


# --- Firefox, without Playwright --------------------------------------------------------------------------------------


@contextmanager
def firefox() -> Iterator[FirefoxTab]:
    """A tab of a new Firefox, headless, with a profile of its own."""
    require(FIREFOX, "firefox-esr", "websockets")
    from websockets.sync.client import connect

    assert FIREFOX is not None
    with tempfile.TemporaryDirectory(prefix="manabackup-firefox-") as profile:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
        Path(profile, "user.js").write_text("\n".join(lines))
        command = [FIREFOX, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile]
        environment = {**os.environ, "HOME": profile, "MOZ_CRASHREPORTER_DISABLE": "1"}
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
        ) as process:
            try:
                assert process.stderr is not None
                address = next(found[1] for line in process.stderr if (found := _LISTENING.search(line)))
                with connect(f"{address}/session", max_size=None) as socket:
                    yield FirefoxTab(socket)
            finally:
                process.terminate()
                process.wait()


class FirefoxTab:
    """The first tab, spoken to in WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._last = 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._downloads: list[Path] = []
        self._send("session.new", {"capabilities": {}})
        self._send("session.subscribe", {"events": ["network.beforeRequestSent", "log.entryAdded"]})
        self._context = self._send("browsingContext.getTree", {})["contexts"][0]["context"]

    def open(self, page: Path) -> None:
        asked = {"context": self._context, "url": page.as_uri(), "wait": "complete"}
        self._send("browsingContext.navigate", asked)

    def call(self, function: str, *arguments: Any) -> Any:
        given = [{"type": "string", "value": json.dumps(list(arguments))}]
        declaration = f"async (given) => JSON.stringify((await ({function})(...JSON.parse(given))) ?? null)"
        done = self._send(
            "script.callFunction",
            {
                "functionDeclaration": declaration,
                "awaitPromise": True,
                "target": {"context": self._context},
                "arguments": given,
            },
        )
        if done["type"] != "success":
            raise AssertionError(done["exceptionDetails"]["text"])
        return json.loads(done["result"]["value"])

    def choose(self, selector: str, file: Path) -> None:
        located = {"context": self._context, "locator": {"type": "css", "value": selector}}
        node = self._send("browsingContext.locateNodes", located)["nodes"][0]
        asked = {"context": self._context, "element": {"sharedId": node["sharedId"]}, "files": [str(file)]}
        self._send("input.setFiles", asked)

    def download(self, folder: Path, function: str) -> Path:
        """The file that a JavaScript function lets the page save."""
        behavior = {"type": "allowed", "destinationFolder": str(folder)}
        self._send("browser.setDownloadBehavior", {"downloadBehavior": behavior})
        self._send("session.subscribe", {"events": ["browsingContext.downloadEnd"]})
        self.call(function)
        while not self._downloads:
            self._note(json.loads(self._socket.recv(timeout=_SECONDS)))
        return self._downloads.pop()

    def screenshot(self, width: int, height: int) -> bytes:
        """The tab as a PNG, at a size in CSS pixels."""
        import base64

        size = {"context": self._context, "viewport": {"width": width, "height": height}}
        self._send("browsingContext.setViewport", size)
        shot = self._send("browsingContext.captureScreenshot", {"context": self._context})
        return base64.b64decode(shot["data"])

    def _send(self, method: str, parameters: dict[str, Any]) -> Any:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=_SECONDS))
            if message.get("id") == self._last:
                if message["type"] == "error":
                    raise AssertionError(f"{method}: {message['message']}")
                return message["result"]
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "network.beforeRequestSent":
            self.requests.append(event["params"]["request"]["url"])
        elif event.get("method") == "browsingContext.downloadEnd":
            self._downloads.append(Path(event["params"]["filepath"]))
        elif event.get("method") == "log.entryAdded" and event["params"]["level"] == "error":
            self.errors.append(event["params"]["text"])
