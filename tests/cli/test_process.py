"""The program as a process: start, interruption, broken pipes."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import wyner
from wyner import io
from wyner.image import Image

_SLOW = """
import sys, time
sys.path.insert(0, {tests!r})
from conftest import FakeCodec
from wyner.codecs.base import Progress

class Slow(FakeCodec):
    def encode(self, pixels, settings, progress):
        print("started", flush=True)
        for step in range(600):
            time.sleep(0.05)
            progress(Progress(step, 600, 1.0, 30.0, 1.0, "fit"))
        return b""

sys.modules["wyner.codecs.overfit"] = Slow()
from wyner.cli import main
sys.exit(main(sys.argv[1:]))
"""


_FITTING = """
import sys
from wyner.codecs.overfit.fit import _Fit

report = _Fit.report
def told(self, *arguments):
    print("fitting", flush=True)
    report(self, *arguments)

_Fit.report = told
from wyner.cli import main
sys.exit(main(sys.argv[1:]))
"""

posix = pytest.mark.skipif(os.name != "posix", reason="signals and pipes are those of POSIX")


def test_python_m_wyner():
    done = subprocess.run([sys.executable, "-m", "wyner", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("wyner ")
    done = subprocess.run([sys.executable, "-m", "wyner", "--help"], capture_output=True, text=True)
    assert "exit codes" in done.stdout


def interrupted(process):
    """What a process that is interrupted leaves on stderr, once it has ended as it should."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "wyner: interrupted" and "Traceback" not in errors


def start(folder, code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@posix
def test_interrupt_leaves_nothing_behind(tmp_path, photo, request):
    for name in ("a.png", "b.png", "c.png"):
        io.write(tmp_path / name, Image.from_array(photo))
    code = _SLOW.format(tests=str(request.path.parents[1]))
    process = start(tmp_path, code, "encode", "a.png", "b.png", "c.png", "-o", "out")
    assert process.stdout.readline().startswith("started")
    time.sleep(0.2)
    interrupted(process)
    assert list((tmp_path / "out").iterdir()) == []


@posix
@pytest.mark.parametrize("codec", ["overfit", "shared"])
def test_interrupt_of_a_fit(tmp_path, codec):
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    io.write(tmp_path / "a.png", Image.from_array(noise))
    command = ["encode", "a.png", "-e", "10", "--codec", codec, "-o", "a.wyn"]
    process = start(tmp_path, _FITTING, *command)
    assert process.stdout.readline() == "fitting\n"
    interrupted(process)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@posix
def test_a_reader_that_goes_away(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    (tmp_path / "a.wyn").write_bytes(wyner.encode(noise, codec="lossless"))
    command = ["-m", "wyner", "decode", "a.wyn", "-o", "-", "--format", "ppm"]
    with subprocess.Popen(
        [sys.executable, *command], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 1
    assert errors == "wyner: a.wyn: Broken pipe\n"
