"""Debian's Chromium without a window, driven by playwright."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.engines import EngineMissing

DESKTOP, PHONE = 1280, 390  # widths in CSS pixels that pages must look right at
# The address bar's popup is two pages of its own in every window: with it, to open an empty page takes four times the work.
_WITHOUT = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")
# What playwright turns off and matters here: Chromium heeds the last list only.
_WITHOUT_ANYWAY = (
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
    "PreconnectToSearch",
)  # fmt: skip
_ARGUMENTS = [
    "--disable-features=" + ",".join((*_WITHOUT, *_WITHOUT_ANYWAY)),
    "--no-sandbox",  # test machines run as root, where Chromium's sandbox refuses to start
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # nothing leaves the machine
]
_LOCAL_HOSTS = {"127.0.0.1", "localhost"}
_WITHOUT_HOST = {"about", "blob", "data"}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser. Raises EngineMissing where Chromium is not installed.

    While it runs, no event loop of asyncio can be run in this thread: playwright's own is running in it.
    """
    binary = os.environ.get("TPSCOPE_CHROMIUM") or shutil.which("chromium")
    if not binary or not Path(binary).exists():
        raise EngineMissing("Chromium is not installed: apt-get install chromium, or set TPSCOPE_CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=_ARGUMENTS, timeout=60_000)
        try:
            yield browser
        finally:
            browser.close()


class BrowserPage:
    """A page in a browser context of its own, which keeps what went wrong and what was requested; a context manager.

    Attributes
    ----------
    page : playwright.sync_api.Page
        To click and look with.
    complaints : list of str
        Errors and warnings of the console, uncaught errors, failed requests and answers with an error status.
    requested : list of str
        The address of every request, those of web sockets too.
    """

    def __init__(self, browser: Browser, *, width: int = DESKTOP, height: int = 900, timeout_s: float = 15.0) -> None:
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self._context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        self._context.set_default_timeout(timeout_s * 1000)
        expect.set_options(timeout=timeout_s * 1000)  # else 5 s, which a page that waits for a processor may take
        self.page: Page = self._context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("websocket", lambda socket: self.requested.append(socket.url))
        self.page.on("requestfailed", self._note_failure)
        self.page.on(
            "response",
            lambda answer: self.complaints.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None,
        )

    def open(self, url: str) -> Page:
        """Go to an address; returns when the network has been quiet for half a second."""
        self.page.goto(url, wait_until="networkidle")
        return self.page

    def screenshot(self, path: Path, *, full_page: bool = True) -> None:
        """Write a PNG of the whole page, or of what is in view."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=full_page)

    @property
    def requests_that_left(self) -> list[str]:
        """Requests to anything but this machine."""
        return [url for url in self.requested if not _is_local(url)]

    def assert_clean(self) -> None:
        """AssertionError when anything went wrong or any request left the machine."""
        assert not self.requests_that_left, f"requests left this machine: {self.requests_that_left}"
        assert not self.complaints, "the page complained:\n" + "\n".join(self.complaints)

    def close(self) -> None:
        """Close the page."""
        self._context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            place = message.location
            self.complaints.append(f"{message.type}: {message.text} ({place.get('url')}:{place.get('lineNumber')})")

    def _note_failure(self, request: Request) -> None:
        # A page that is left while it loads gives its requests up itself.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url}: {request.failure}")


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in _WITHOUT_HOST or parts.hostname in _LOCAL_HOSTS
