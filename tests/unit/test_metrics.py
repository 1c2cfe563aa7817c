import math
import subprocess
import sys

import numpy as np
import pytest

from wyner import metrics
from wyner.errors import UsageError


def test_mse_and_psnr():
    a = np.zeros((2, 2, 3), np.uint8)
    b = a.copy()
    b[0, 0, 0] = 255
    assert metrics.mse(a, b) == 255**2 / 12
    assert metrics.psnr(metrics.mse(a, b), 255) == pytest.approx(10 * math.log10(12))
    assert metrics.psnr(0.0, 255) == math.inf


def test_different_pictures_do_not_compare():
    with pytest.raises(UsageError):
        metrics.mse(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(UsageError):
        metrics.mse(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint16))


def test_importing_the_metrics_imports_nothing_heavy():
    code = "import sys, wyner.metrics; print([m for m in sys.modules if m in set(sys.argv)])"
    heavy = ["torch", "scipy", "matplotlib", "ssimulacra2", "urllib.request"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
