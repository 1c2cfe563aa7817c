"""The generated tables are what tools/make_tables.py writes, and what the specification says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_generated_files_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "tools/make_tables.py"), "--check"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_tables_follow_their_formulas() -> None:
    tables = json.loads((ROOT / "src/wyner/reference/tables.json").read_text())
    b = [2 ** ((i - 80) / 16) for i in range(209)]
    exact = {
        "EXP2": [32768 * 2 ** (-j / 256) for j in range(256)],
        "INVB": [4096 * math.log2(math.e) / x for x in b],
    }
    for name, values in exact.items():
        assert len(tables[name]) == len(values)
        assert max(abs(t - v) for t, v in zip(tables[name], values, strict=True)) < 0.5 + 1e-6
    assert tables["WINDOW"] == [min(255, math.ceil(5 * x) + 1) for x in b]


def test_native_models_match_the_json() -> None:
    native = pytest.importorskip("wyner._native", reason="the native extension is not built")
    expected = json.loads((ROOT / "src/wyner/reference/models.json").read_text())["models"]
    models = native.overfit_models()
    assert len(models) == len(expected)
    for ours, theirs in zip(models, expected, strict=True):
        for key in ("S", "F", "N", "M", "grids", "kdef"):
            assert ours[key] == theirs[key]
        for key in ("mean", "scale"):
            np.testing.assert_array_equal(ours[key], theirs[key])
