"""The program as a process: start, interruption, broken pipes."""

import os
import signal
import subprocess
import sys
import time

import pytest

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


def test_python_m_wyner():
    done = subprocess.run([sys.executable, "-m", "wyner", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("wyner ")
    done = subprocess.run([sys.executable, "-m", "wyner", "--help"], capture_output=True, text=True)
    assert "exit codes" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_interrupt_leaves_nothing_behind(tmp_path, photo, request):
    for name in ("a.png", "b.png", "c.png"):
        io.write(tmp_path / name, Image.from_array(photo))
    code = _SLOW.format(tests=str(request.path.parents[1]))
    process = subprocess.Popen(
        [sys.executable, "-c", code, "encode", "a.png", "b.png", "c.png", "-o", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("started")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "wyner: interrupted" and "Traceback" not in errors
    assert list((tmp_path / "out").iterdir()) == []
