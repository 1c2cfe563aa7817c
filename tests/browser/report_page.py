"""A headless Chromium, and pages of reports in it that must not complain nor ask for anything."""

from __future__ import annotations

import shutil

import pytest
from bench_sample import make

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CODECS = [
    {"name": "jpeg_444", "quality": [5, 25, 65, 85]},
    {"name": "webp", "quality": [0, 30, 80, 95]},
    {"name": "png"},
]


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    program = next((path for path in map(shutil.which, NAMES) if path), None)
    if program is None:
        pytest.skip("no Chromium on the PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sample(browser, tmp_path_factory):
    """A run folder of two small pictures by the real pipeline, and the path of its report."""
    pytest.importorskip("scipy", reason="BD-rates need SciPy")
    from wyner.bench.report import build

    run = make(tmp_path_factory.mktemp("sample"), codecs=CODECS)
    return run, build(run, run.parent / "report.html")


@pytest.fixture
def visit(browser):
    """Open a file in a page of its own; at the end nothing may have been logged, thrown or asked for."""
    contexts, trouble, asked = [], [], []

    def open_page(path, **options):
        options = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | options
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not trouble, trouble
    assert [url for url in asked if not url.startswith("data:")] == asked[:1] * len(contexts)


@pytest.fixture
def page(visit, sample):
    return visit(sample[1])
