"""What tests read off a page of a report."""

import json
import re
import time


def marks(page, series=None):
    """Centres of the drawn points on the page, of one series by its number or of all."""
    curve = "#chart .curve" if series is None else f'#chart .curve[data-series="{series}"]'
    boxes = [mark.bounding_box() for mark in page.locator(f"{curve} .mark").all()]
    return [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]


def data_of(path):
    """The data block of a report."""
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def until(page, expression):
    """Wait until an expression is true; Playwright's own waiting needs eval, which the page forbids."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)
