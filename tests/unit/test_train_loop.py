"""The training loop: an interrupted training ends as another does, and ranks share a batch."""

import io
import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from wyner.errors import UnavailableError, UsageError  # noqa: E402
from wyner.nn.entropy import uniform_noise  # noqa: E402
from wyner.train.loop import CHECKPOINT, LOG, Loop, LoopSettings, join_ranks  # noqa: E402
from wyner.train.muon import orthogonalised  # noqa: E402
from wyner.train.pictures import Crops, read_pictures  # noqa: E402


def settings(**changes):
    return LoopSettings(**{"steps": 6, "batch": 4, "warmup": 2, "log_every": 1, **changes})


def make_loop(folder, measure=None, tensorboard=False, **changes):
    torch.manual_seed(3)
    model = torch.nn.Linear(5, 1).to(join_ranks("cpu"))

    class Objective:
        def inputs(self, draw):
            drawn = draw.rng.standard_normal((draw.batch, 5)).astype(np.float32)
            return (torch.from_numpy(drawn)[draw.rows],)

        def __call__(self, inputs):
            [x] = inputs
            error = model(x)[:, 0] - x.sum(1) + uniform_noise(x)[:, 0]
            return {"loss": error.square().mean(), "bias": error.mean()}

    return Loop(model, Objective(), settings(**changes), folder, measure=measure, tensorboard=tensorboard)


def log_of(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def losses(folder):
    return [line["loss"] for line in log_of(folder)]


def test_an_interrupted_training_ends_as_another(tmp_path):
    whole, broken = make_loop(tmp_path / "whole"), make_loop(tmp_path / "broken", keep_seconds=0)
    whole.run()

    class Killed(Exception):
        pass

    def kill(line):
        if line["step"] == 4:  # its line is written, its checkpoint is not
            raise Killed

    with pytest.raises(Killed):
        broken.run(kill)
    assert torch.load(tmp_path / "broken" / CHECKPOINT, weights_only=True)["step"] == 3
    again = make_loop(tmp_path / "broken")
    assert again.step == 3
    again.run()
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert losses(tmp_path / "whole") == losses(tmp_path / "broken")


def test_a_training_can_begin_with_the_weights_of_another(tmp_path):
    first = make_loop(tmp_path / "first")
    first.run()
    torch.manual_seed(9)
    model = torch.nn.Linear(5, 1)
    second = Loop(
        model, first.objective, settings(), tmp_path / "second", start=tmp_path / "first" / CHECKPOINT
    )
    assert second.step == 0 and torch.equal(model.weight, first.model.weight)


def test_trainings_take_turns(tmp_path):
    alone, turns = make_loop(tmp_path / "alone"), [make_loop(tmp_path / name) for name in "ab"]
    alone.run()
    for loop in turns:
        loop.begin()
    while any([loop.advance() for loop in turns]):
        pass
    for loop in turns:
        assert torch.equal(loop.model.weight, alone.model.weight)
        assert losses(loop.folder) == losses(tmp_path / "alone")


def test_a_checkpoint_of_a_gpu_goes_on_elsewhere(tmp_path):
    whole = make_loop(tmp_path / "whole")
    whole.run()
    make_loop(tmp_path / "moved", steps=3).run()
    state = torch.load(tmp_path / "moved" / CHECKPOINT, weights_only=True)
    for group in state["optimisers"][0]["param_groups"]:
        group |= {"lr": torch.tensor(0.1), "capturable": True, "fused": True}
    torch.save(state, tmp_path / "moved" / CHECKPOINT)
    moved = make_loop(tmp_path / "moved")
    assert moved.step == 3
    moved.run()
    # The rates of the first three steps were those of a shorter training.
    assert losses(tmp_path / "moved")[0] == losses(tmp_path / "whole")[0]
    assert all(isinstance(group["lr"], float) for group in moved.optimisers[0].param_groups)


def test_tensorboard_sees_each_step_of_an_interrupted_training_once(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    class Killed(Exception):
        pass

    def kill(line):
        if line["step"] == 4:
            raise Killed

    with pytest.raises(Killed):
        make_loop(tmp_path, tensorboard=True, keep_seconds=0).run(kill)
    make_loop(tmp_path, tensorboard=True).run()
    board = events.EventAccumulator(str(tmp_path)).Reload()
    assert set(board.Tags()["scalars"]) == {"loss", "bias"}
    for name in ("loss", "bias"):
        seen = [(scalar.step, scalar.value) for scalar in board.Scalars(name)]
        assert seen == [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in log_of(tmp_path)]


def test_a_log_for_tensorboard_needs_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UnavailableError, match="TensorBoard's log needs"):
        make_loop(tmp_path, tensorboard=True)


def test_minutes_end_a_training(tmp_path):
    loop = make_loop(tmp_path, steps=10**9, minutes=0.002)
    loop.run()
    assert 0 < loop.step < 10**6
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == loop.step


def test_the_model_is_measured_now_and_then_and_at_the_end(tmp_path):
    make_loop(tmp_path / "each", steps=5).run()
    calls = iter(range(9))
    changes = {"steps": 5, "log_every": 2, "measure_every": 4}
    make_loop(tmp_path / "some", lambda: {"call": next(calls)}, **changes).run()
    each, some = losses(tmp_path / "each"), log_of(tmp_path / "some")
    assert [(line["step"], line.get("call")) for line in some] == [(2, None), (4, 0), (5, 1)]
    means = [(each[0] + each[1]) / 2, (each[2] + each[3]) / 2, each[4]]
    assert [line["loss"] for line in some] == pytest.approx(means)


def test_weight_decay_is_for_filters(tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Linear(2, 3))
    before = [parameter.detach().clone() for parameter in model.parameters()]

    class Objective:
        def inputs(self, draw):
            return ()

        def __call__(self, inputs):
            return {"loss": 0 * sum(parameter.sum() for parameter in model.parameters())}

    Loop(model, Objective(), settings(steps=1, warmup=1, rate=0.1, weight_decay=0.5), tmp_path).run()
    factors = [0.95, 1, 1, 1]
    for old, new, factor in zip(before, model.parameters(), factors, strict=True):
        assert torch.allclose(new, factor * old)


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    loop = make_loop(tmp_path)
    with torch.no_grad():
        loop.model.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError):
        loop.run()
    assert not (tmp_path / CHECKPOINT).exists()


@pytest.mark.parametrize("steps", [4, 3])
def test_weights_that_are_not_finite_are_not_kept(tmp_path, monkeypatch, steps):
    """A step can break a network whose loss is still finite: in between, and at the very end."""
    make_loop(tmp_path, steps=2).run()
    loop = make_loop(tmp_path, steps=steps, keep_seconds=0)

    def objective(_, inputs):
        w = loop.model.weight[0, 0]
        return {"loss": w.square() + (w - w.detach()).abs().sqrt()}  # at 0, where it has no gradient

    monkeypatch.setattr(type(loop.objective), "__call__", objective)
    with pytest.raises(FloatingPointError, match="weight is not finite after step 3"):
        loop.run()
    kept = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert kept["step"] == 2 and all(value.isfinite().all() for value in kept["model"].values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 0) for name in ("steps", "batch", "log_every", "measure_every", "minutes")),
        ("minutes", float("nan")),
        ("rate", -1.0),
        ("clip", float("nan")),
        ("momenta", (0.9, 1.0)),
        ("seed", -1),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(UsageError, match=f"loop.{name}"):
        settings(**{name: value})


def test_a_log_is_cut_in_one_rename_and_without_what_was_torn(tmp_path, monkeypatch):
    make_loop(tmp_path, steps=2).run()
    with (tmp_path / LOG).open("a") as log:
        log.write('{"step": 3, "loss": {"a": 1}')
    before = (tmp_path / LOG).read_text()

    def fail(*_):
        raise OSError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="the power went"):
            make_loop(tmp_path, steps=2).begin()
    assert (tmp_path / LOG).read_text() == before
    make_loop(tmp_path, steps=2).begin()
    assert [line["step"] for line in log_of(tmp_path)] == [1, 2]


def test_two_processes_give_the_curve_of_one(tmp_path):
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import test_train_loop as t;"
        "t.make_loop(pathlib.Path(sys.argv[2])).run()"
    )
    program = tmp_path / "program.py"
    program.write_text(code)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [str(program), os.path.dirname(__file__), str(tmp_path / "two")]
    done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    make_loop(tmp_path / "one").run()
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)


def picture_bytes(value, height, width):
    out = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(out, "png")
    return out.getvalue()


def test_pictures_of_folders_and_shards(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.png").write_bytes(picture_bytes(2, 9, 8))
    (tmp_path / "a.png").write_bytes(picture_bytes(1, 8, 9))
    (tmp_path / "small.png").write_bytes(picture_bytes(9, 7, 30))
    (tmp_path / "read.me").write_text("not a picture")
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        for name, value in (("y.png", 4), ("x.png", 3)):
            data = picture_bytes(value, 8, 8)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    found = read_pictures([tmp_path], least_side=8)
    assert [int(p[0, 0, 0]) for p in found] == [1, 2, 3, 4]
    assert found[0].shape == (3, 8, 9) and found[0].dtype == torch.uint8
    with pytest.raises(UsageError):
        read_pictures([tmp_path], least_side=100)
    with pytest.raises(UsageError):
        read_pictures([tmp_path / "nowhere"])


@pytest.mark.parametrize("damage", ["jpeg", "png", "huge", "shard"])
def test_a_picture_that_cannot_be_read_is_named(tmp_path, monkeypatch, damage):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8))
    out = io.BytesIO()
    picture.save(out, "jpeg" if damage == "jpeg" else "png")
    data = out.getvalue()
    if damage == "png":
        before, name, after = data.rpartition(b"IDAT")
        data = before + b"\0" + name[1:] + after
    elif damage == "huge":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    else:
        data = data[:-100]
    if damage == "shard":
        with tarfile.open(tmp_path / "s.tar", "w") as shard:
            member = tarfile.TarInfo("broken.png")
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    else:
        (tmp_path / "broken.png").write_bytes(data)
    with pytest.raises(UsageError, match=r"broken\.png"):
        read_pictures([tmp_path])


def test_a_shard_that_is_none_is_named(tmp_path):
    (tmp_path / "s.tar").write_bytes(b"no shard" * 200)
    with pytest.raises(UsageError, match=r"s\.tar"):
        read_pictures([tmp_path])


def test_crops_lie_in_the_picture_and_are_shared_by_rows():
    from wyner.train.loop import Draw

    picture = torch.arange(3 * 10 * 12, dtype=torch.uint8).view(3, 10, 12)
    crops = Crops([picture], 4, torch.device("cpu"))
    whole = crops.batch(Draw(np.random.default_rng(1), 16, slice(0, 16)))
    part = crops.batch(Draw(np.random.default_rng(1), 16, slice(4, 8)))
    assert whole.shape == (16, 3, 4, 4) and torch.equal(part, whole[4:8])
    samples = (whole * 255).round()
    assert len({tuple(s.flatten().tolist()) for s in samples}) > 10
    for sample in samples:  # neighbours stay neighbours: 1 and 12 apart, in either direction
        steps = {abs(int(sample[0, 1, 0] - sample[0, 0, 0])), abs(int(sample[0, 0, 1] - sample[0, 0, 0]))}
        assert steps == {1, 12}


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(1)
    matrices = [torch.randn(shape) for shape in ((6, 40), (40, 6), (3, 5))]
    for found, matrix in zip(orthogonalised(matrices), matrices, strict=True):
        values = torch.linalg.svdvals(found)
        assert found.shape == matrix.shape and values.min() > 0.5 and values.max() < 1.3
        assert (found * matrix).sum() > 0.8 * torch.linalg.svdvals(matrix).sum()


def test_the_momentum_of_a_dead_layer_fades_without_harm():
    """Its squares underflow long before it does."""
    [found] = orthogonalised([torch.full((3, 4), 1e-25)])
    assert found.abs().max() < 1e-6


def test_muon_trains_filters_and_resumes(tmp_path):
    def loop():
        torch.manual_seed(2)
        model = torch.nn.Conv2d(3, 4, 3)

        class Objective:
            def inputs(self, draw):
                return (torch.from_numpy(draw.rng.standard_normal((draw.batch, 3, 6, 6)).astype(np.float32)),)

            def __call__(self, inputs):
                [x] = inputs
                return {"loss": (model(x) - 2 * x[:, :1, 1:-1, 1:-1]).square().mean()}

        return Loop(model, Objective(), settings(steps=150, optimiser="muon", rate=0.02), tmp_path)

    first = loop()
    first.run()
    assert losses(tmp_path)[-1] < 0.5 * losses(tmp_path)[0]
    again = loop()
    for a, b in zip(first.optimisers, again.optimisers, strict=True):
        assert str(a.state_dict()) == str(b.state_dict())
