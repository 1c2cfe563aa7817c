import sys

from wyner.cli import progress as module
from wyner.cli.progress import ProgressLine
from wyner.codecs.base import Progress


def _run(monkeypatch, seconds):
    """Feed a progress line ten times a second, by a clock of our own."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    line = ProgressLine("a.png")
    for tick in range(int(seconds * 10)):
        now[0] = tick / 10
        line(Progress(tick, 1000, 0.25, 31.5, 75.0, "fit"))
    line.close()


def test_short_work_shows_nothing(monkeypatch, capsys):
    _run(monkeypatch, 1.9)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_living_line(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _run(monkeypatch, 5)
    text = capsys.readouterr().err
    assert "\n" not in text and text.count("\r") > 20 and text.endswith("\r")
    assert "a.png: fit 40/1000  0.250 bpp  31.50 dB  1:15 left" in text


def test_elsewhere_lines_are_sparse(monkeypatch, capsys):
    _run(monkeypatch, 60)
    text = capsys.readouterr().err
    assert 3 <= len(text.splitlines()) <= 5 and "\r" not in text
