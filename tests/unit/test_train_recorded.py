"""Recorded steps on a GPU: the curve of steps that are launched one by one. Skipped where there is none."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from wyner.nn.entropy import uniform_noise  # noqa: E402
from wyner.train import recorded  # noqa: E402
from wyner.train.loop import Loop, LoopSettings  # noqa: E402


def losses(folder, device, monkeypatch, eager):
    monkeypatch.setattr(recorded, "EAGER", 10**9 if eager else 3)
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 3)).to(
        device
    )

    class Objective:
        def inputs(self, draw):
            x = draw.rng.standard_normal((draw.batch, 3, 12, 12)).astype(np.float32)
            return (torch.from_numpy(x).to(device),)

        def __call__(self, inputs):
            [x] = inputs
            error = model(x) - x[:, :1, 2:-2, 2:-2] + 0.1 * uniform_noise(x)[:, :1, 2:-2, 2:-2]
            return {"loss": error.square().mean()}

    settings = LoopSettings(steps=40, batch=4, warmup=2, log_every=1, optimiser="muon", rate=0.01)
    found = []
    loop = Loop(model, Objective(), settings, folder, record=True)
    assert loop.recorded == (device == "cuda")
    loop.run(lambda line: found.append(line["loss"]))
    return found


def test_a_cpu_records_nothing(tmp_path, monkeypatch):
    found = losses(tmp_path, "cpu", monkeypatch, eager=False)
    assert found[-1] < 0.8 * found[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_recorded_steps_are_the_steps(tmp_path, monkeypatch):
    eager, other = (losses(tmp_path / str(e), "cuda", monkeypatch, e) for e in (True, False))
    assert other == pytest.approx(eager, rel=0.02) and eager[-1] < 0.8 * eager[0]
    assert len(set(other)) == len(other)  # each step has its own noise and samples
