"""A browser for the tests: one Chromium for all, a profile of its own for each visitor."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from tests.browser.desk import Staff
from tests.browser.hosts import Host, Shop
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.servers import ROOT, Server

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a microphone that beeps,
    "--use-fake-ui-for-media-stream",  # and is allowed
)
MakeVisitor = Callable[..., Visitor]
MakeStaff = Callable[..., Staff]
Launch = Callable[..., Browser]


@pytest.fixture(scope="session")
def launch() -> Iterator[Launch]:
    """Starts a Chromium with these switches more."""
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    assert binary, "These tests need Chromium: install it, or name it by CHROMIUM=/path/to/it"
    with sync_playwright() as playwright:
        yield lambda *more: playwright.chromium.launch(
            executable_path=binary, args=[*QUIET, *more], timeout=60_000
        )


@pytest.fixture(scope="session")
def browser(launch: Launch) -> Iterator[Browser]:
    launched = launch()
    yield launched
    launched.close()


@pytest.fixture
def visitor(
    browser: Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[MakeVisitor]:
    """Makes visitors, each with a browser profile; `visitor(like=other)` is another tab of theirs,
    `visitor(at=other)` sits at another browser.

    An uncaught error on one of their pages fails the test.
    """
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def make(like: Visitor | None = None, at: Browser | None = None, **options: object) -> Visitor:
        if like is None:
            contexts.append((at or browser).new_context(**options))  # type: ignore[arg-type]
        context = like.page.context if like else contexts[-1]
        visitors.append(Visitor(context.new_page()))
        return visitors[-1]

    yield make
    for number, one in enumerate(visitors):
        if request.node.stash.get(FAILED, False):
            one.page.screenshot(path=tmp_path / f"visitor-{number}.png")
    for context in contexts:
        context.close()
    assert [error for one in visitors for error in one.errors] == []


@pytest.fixture
def staff(
    browser: Browser, desk: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[MakeStaff]:
    """Logs somebody in at the test's `desk`, each with a browser of their own.

    An error on one of their pages, caught or not, fails the test.
    """
    contexts: list[BrowserContext] = []
    made: list[Staff] = []

    def make(name: str = "vera", **options: object) -> Staff:
        contexts.append(browser.new_context(**options))  # type: ignore[arg-type]
        made.append(Staff(contexts[-1], desk).log_in(name))
        return made[-1]

    yield make
    if request.node.stash.get(FAILED, False):
        for number, one in enumerate(made):
            one.page.screenshot(path=tmp_path / f"staff-{number}.png")
    errors = [(one.errors, one.console) for one in made]
    for context in contexts:
        context.close()
    assert errors == [([], [])] * len(made)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed  # type: ignore[attr-defined]
    return report


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page whose site has the widget's modules, as they lie in the repository."""
    site = "https://widget.test/"

    def serve(route: Route) -> None:
        name = route.request.url.removeprefix(site)
        if name:
            route.fulfill(path=ROOT / "static" / "widget" / name, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    context = browser.new_context()
    context.route(f"{site}**", serve)
    page = context.new_page()
    page.goto(site)
    yield page
    context.close()


@pytest.fixture(scope="session")
def shop(session_stack: MakeStack) -> Iterator[Shop]:
    """A customer's website that the demo site of one server lists, for all tests of the session."""
    made = session_stack()
    with Shop(made.server) as site:
        made.manage("seed_demo", "--origin", site.url)
        yield site


@pytest.fixture
def host() -> Iterator[Host]:
    """A customer's website on an origin of its own."""
    with Host() as site:
        yield site
