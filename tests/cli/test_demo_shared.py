import re

import numpy as np
import pytest

import wyner
from wyner import io
from wyner.cli import main

pytest.importorskip("wyner._native", reason="the native core is not built")
ROW = re.compile(r"(\S+) +(\d\.\d{4}e[-+]\d\d) +(\d+\.\d\d) dB")


def _check_rows(text, folder, names, depths):
    """Every printed error is that of the two files, read back."""
    rows = [match.groups() for match in map(ROW.fullmatch, text.splitlines()) if match]
    assert [row[0] for row in rows] == names * 2
    ends = ["plain"] * len(names) + ["useful"] * len(names)
    for end, (name, mse, psnr), maxval in zip(ends, rows, depths * 2, strict=True):
        given, decoded = (io.read(folder / f"{name}{suffix}.pgm") for suffix in ("", f"-{end}"))
        assert (given.maxval, decoded.maxval) == (maxval, maxval if end == "useful" else 255)
        found = np.mean((given.pixels / maxval - decoded.pixels / decoded.maxval) ** 2)
        assert f"{found:.4e}" == mse and f"{-10 * np.log10(found):.2f}" == psnr
    file = (folder / "set.wyn").read_bytes()
    shared = wyner.set_info(file).shared_bytes
    assert f"set.wyn: {len(file)} bytes, {shared} shared" in text
    for name, image in zip(names, wyner.decode_set(file), strict=True):
        assert image == io.read(folder / f"{name}-useful.pgm")
    files = {f"{name}{end}.pgm" for name in names for end in ("", "-plain", "-useful")}
    files |= {"plain.png", "useful.png", "set.wyn"}
    assert {path.name for path in folder.iterdir()} == files


def test_the_synthetic_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = ["demo", "-o", "d", "-q", "60", "-e", "1"]
    assert main([*before, "shared", "--size", "16", "--epochs", "25", "--latents", "3"]) == 0
    text = capsys.readouterr().out
    assert "codec shared, quality 60, effort 1" in text
    epochs = re.findall(r"^epoch +(\d+)  loss (\d\.\d{4}e-\d\d)  \d+\.\d\d s$", text, re.MULTILINE)
    assert [epoch for epoch, _ in epochs] == ["10", "20", "25"]
    losses = [float(loss) for _, loss in epochs]
    assert losses == sorted(losses, reverse=True)
    names = ["1-radial-gradient", "2-sine-wave", "3-checkerboard"]
    _check_rows(text, tmp_path / "d", names, [255, 255, 255])
    assert "decoder: 1024 numbers, 256 pixels x (3 weights + 1 bias); codes: 9 numbers, 3 a picture" in text
    assert main(["demo", "shared", "--size", "16", "--epochs", "25", "--latents", "3", "-e", "1"]) == 0
    assert (tmp_path / "wyner-demo" / "plain.png").read_bytes() == (tmp_path / "d" / "plain.png").read_bytes()


def test_given_pictures_binary_and_plain_of_8_and_16_bits(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    (tmp_path / "b.pgm").write_bytes(b"P5\n# binary\n5 3 255\n" + rng.bytes(15))
    (tmp_path / "c.pgm").write_bytes(b"P5 5 3 65535\n" + rng.bytes(30))
    for name, maxval in (("p", 255), ("q", 65535)):
        numbers = " ".join(map(str, rng.integers(0, maxval + 1, 15)))
        (tmp_path / f"{name}.pgm").write_text(f"P2\n5 3\n{maxval}\n{numbers}\n")
    inputs = ["b.pgm", "c.pgm", "p.pgm", "q.pgm"]
    assert main(["demo", "shared", *inputs, "-o", "d", "--epochs", "5", "-e", "1"]) == 0
    text = capsys.readouterr().out
    _check_rows(text, tmp_path / "d", ["1-b", "2-c", "3-p", "4-q"], [255, 65535, 255, 65535])
    for number, path in enumerate(inputs, 1):
        assert io.read(tmp_path / "d" / f"{number}-{path}") == io.read(path)


def test_wrong_sets_and_settings_write_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pgm").write_bytes(b"P5 2 2 255\n" + bytes(4))
    (tmp_path / "wide.pgm").write_bytes(b"P5 3 2 255\n" + bytes(6))
    (tmp_path / "short.pgm").write_bytes(b"P5 3 2 255\n" + bytes(5))
    (tmp_path / "colour.ppm").write_bytes(b"P6 2 2 255\n" + bytes(12))
    for arguments, code, message in [
        (
            ["a.pgm", "wide.pgm"],
            2,
            "wide.pgm is 3x2, a.pgm is 2x2: all pictures of a set must",
        ),
        (["colour.ppm"], 2, "colour.ppm is not a grey picture"),
        (["a.pgm", "short.pgm"], 3, "short.pgm: "),
        (["missing.pgm"], 1, "missing.pgm"),
        (["a.pgm", "-o", "."], 2, "a.pgm lies in the folder for the results"),
        (["--latents", "0"], 2, "--latents must be 1..1024"),
        (["--epochs", "0"], 2, "--epochs must be"),
        (["--seed", "-1"], 2, "--seed must be"),
        (["--size", "0"], 2, "size of the synthetic pictures must be"),
    ]:
        assert main(["demo", "shared", *arguments]) == code
        assert message in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 4
