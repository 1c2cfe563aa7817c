"""The examples of the README do what they say."""

import importlib.util
import re
import shlex

import pytest
from conftest import REPOSITORY

from wyner import io
from wyner.cli import main
from wyner.cli.parser import build_parser
from wyner.image import Image

TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for line in re.findall(r"^    (wyner .*)$", TEXT, re.MULTILINE)]


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_run(code, tmp_path, monkeypatch, fake_codec):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def test_commands_parse():
    assert len(COMMANDS) > 5
    for command in COMMANDS:
        build_parser().parse_args(shlex.split(command)[1:])


def is_of_sides(command):
    return any(word in command for word in ("--side", "--pairs", "alone.wyn"))


def test_the_first_commands_run(tmp_path, monkeypatch, photo, fake_codec):
    monkeypatch.chdir(tmp_path)
    io.write("photo.png", Image.from_array(photo))
    for command in COMMANDS:
        if "*" in command or "target" in command:  # the shell expands; the stand-in codec meets no targets
            continue
        if command.startswith("wyner train"):  # the guide to training is run in a test of its own
            continue
        if is_of_sides(command):  # below, with the codec itself
            continue
        if "tiles" in command:  # the guide to collections is run in a test of its own, likewise
            continue
        if "--lossless" in command:  # in test_lossless, likewise
            continue
        force = ["-f"] if command.split()[1] in ("encode", "decode") else []
        assert main([*shlex.split(command)[1:], *force]) == 0, command


def test_commands_with_a_side_picture_run(tmp_path, monkeypatch, photo):
    pytest.importorskip("wyner._native", reason="the native core is not built")
    monkeypatch.chdir(tmp_path)
    io.write("left.png", Image.from_array(photo))
    io.write("right.png", Image.from_array(photo // 2 + 50))
    (tmp_path / "pairs.csv").write_text("image,side\nleft.png,right.png\n")
    commands = [command for command in COMMANDS if is_of_sides(command)]
    assert len(commands) == 8
    if importlib.util.find_spec("torch") is None:  # which the last two need
        commands = commands[:-2]
    for command in commands:
        extra = ["-f", "-e", "1"] if command.split()[1] == "encode" else ["-f"]
        assert main([*shlex.split(command)[1:], *extra]) == 0, command
    assert (tmp_path / "unpacked/left.png").exists()
