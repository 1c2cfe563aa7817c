import subprocess
import sys

_ENCODE = """
import sys
import numpy as np
{setup}
import wyner, wyner.cli, wyner.io, wyner.pillow
data = wyner.encode(np.zeros((16, 16, 3), np.uint8), effort=1)
wyner.decode(data), wyner.info(data)
assert "torch" not in sys.modules, "torch was imported"
"""
_FAKE = """
sys.path.insert(0, {tests!r})
from conftest import FakeCodec
sys.modules["wyner.codecs.overfit"] = FakeCodec()
"""


def _run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_shell_never_imports_torch(request):
    done = _run(_ENCODE.format(setup=_FAKE.format(tests=str(request.path.parents[1]))))
    assert done.returncode == 0, done.stderr


def test_the_real_codec_never_imports_torch():
    done = _run(_ENCODE.format(setup=""))
    assert done.returncode == 0, done.stderr


def test_import_wyner_is_light():
    done = _run("import sys, wyner; print('numpy' in sys.modules, 'PIL' in sys.modules)")
    assert done.stdout.split() == ["False", "False"], done.stderr
