"""tools/coarser_model.py: gains that go on in a straight line, and nothing else."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from random_learned import random_codec  # noqa: E402

import wyner  # noqa: E402
from wyner.nn import safetensors  # noqa: E402
from wyner.nn.frozen import model_file  # noqa: E402
from wyner.nn.learned import LearnedCodec  # noqa: E402

TOOL = Path(__file__).parents[2] / "tools" / "coarser_model.py"
TABLES = ("gain", "inverse", "log2_gain", "integer_gain", "y.location", "y.scale")
"""They are made of rounded gains, and may be off by as much."""


@pytest.mark.parametrize("prior", ["gaussian", "mean-scale"])
def test_the_file_is_that_of_a_codec_of_the_wider_range(prior, tmp_path, monkeypatch, photo):
    """Untrained gains are straight in log lambda, so that the codec of the wider range is known."""
    model = random_codec(prior)
    if prior == "gaussian":
        torch.nn.init.normal_(model.prior.mean)
        torch.nn.init.normal_(model.prior.log2_scale, std=0.2)
    low, high = model.config.lambda_range
    wide = LearnedCodec(replace(model.config, lambda_range=(low, 4 * high)))
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith("gains.")}
    wide.load_state_dict(weights, strict=False)
    path = tmp_path / "wide.safetensors"
    path.write_bytes(model_file(model, {"lambda_range": [low, high]}))
    assert subprocess.run([sys.executable, TOOL, "4", path]).returncode == 0
    found, metadata = safetensors.read(path.read_bytes())
    wanted, _ = safetensors.read(model_file(wide, {}))
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
        if name in TABLES:
            off = 0 if tensor.dtype == np.float16 else 1
            np.testing.assert_allclose(found[name].astype(float), tensor.astype(float), rtol=1e-3, atol=off)
        else:
            assert np.array_equal(found[name], tensor)
    about = json.loads(metadata["card"])["about"]
    assert about["lambda_range"] == [low, 4 * high] and about["trained_to"] == high
    assert "not trained" in about["beyond"]
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    sizes = []
    for quality in (0, 30, 100):
        data = wyner.encode(photo, codec="learned", quality=quality, options={"model": "wide"})
        assert wyner.decode(data).pixels.shape == photo.shape
        sizes.append(len(data))
    assert sizes == sorted(sizes)
