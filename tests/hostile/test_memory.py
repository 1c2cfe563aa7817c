"""Files that ask for much are refused in little memory: in a process that may not have more."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from skimage import data

pytest.importorskip("wyner._native", reason="the native extension is not built")

import wyner
from wyner import container, png16, set_container
from wyner.codecs import lossless
from wyner.container import Container, Header, chunk, varint

LITTLE = 48 << 20
"""Bytes that may be allocated: of the largest picture, a plane of 8 bits has 2^28."""
_CHILD = """
import json, resource, sys
from pathlib import Path
import wyner
from wyner import io

wyner.decode(Path(sys.argv[1]).read_bytes(), threads=1)
here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (here + int(sys.argv[2]), resource.RLIM_INFINITY))
found = {}
for path in sys.argv[3:]:
    data, limits = Path(path).read_bytes(), wyner.Limits(macs=10**9, metadata_bytes=1 << 20)
    read = io.read if path.endswith(".png") else wyner.decode_set if "set" in path else wyner.decode
    try:
        read(data, limits=limits)
        found[Path(path).name] = "read"
    except (wyner.WynerError, MemoryError) as error:
        found[Path(path).name] = type(error).__name__
print(json.dumps(found))
"""


def png(width: int, height: int, depth: int) -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, 2, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20), 9)), (b"IEND", b""))
    return png16.SIGNATURE + b"".join(png16._chunk(*part) for part in chunks)


def huge(codec: int, payload: bytes) -> bytes:
    return container.write(Container(Header(1 << 14, 1 << 14, 3, 8, False, codec, 1), payload))


def files() -> dict[str, tuple[bytes, str]]:
    """By name: a file, and the error that it ends in."""
    small = wyner.encode(np.zeros((8, 8, 3), np.uint8), effort=1)
    parts = container.read(small)
    plain = container.read(wyner.encode(data.astronaut()[:32, :32], codec="lossless"))
    names = chunk("n", b"\x01" + zlib.compress(b"ab\n" * (100 << 20), 9))
    bomb = chunk("x", b"\x01" + zlib.compress(bytes(200 << 20), 9))
    at = len(container.PREAMBLE) + len(chunk("H", bytes(5)))
    one_set = wyner.encode_set([np.zeros((8, 8, 3), np.uint8)], quality=30, effort=1)
    head = varint(1) + b"\x06\x01" + set_container.read(one_set).networks
    start = container.PREAMBLE + chunk("M", head)
    return {
        "arithmetic.wyn": (huge(1, parts.payload), "LimitError"),
        "lossless.wyn": (huge(lossless.CODEC_ID, plain.payload), "LimitError"),
        "metadata.wyn": (small[:at] + bomb + small[at:], "LimitError"),
        "names_set.wyn": (start + names + one_set[len(start) :], "CorruptError"),
        "deep.png": (png(30000, 30000, 16), "LimitError"),
        "wide.png": (png(30000, 30000, 8), "LimitError"),
    }


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the size of a process is looked up in /proc"
)
def test_what_asks_for_much_is_refused_in_little_memory(tmp_path: Path) -> None:
    expected = {}
    (tmp_path / "first").write_bytes(wyner.encode(np.zeros((8, 8, 3), np.uint8), effort=1))
    for name, (file, error) in files().items():
        (tmp_path / name).write_bytes(file)
        expected[name] = error
    paths = [str(tmp_path / name) for name in expected]
    command = [sys.executable, "-c", _CHILD, str(tmp_path / "first"), str(LITTLE), *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
