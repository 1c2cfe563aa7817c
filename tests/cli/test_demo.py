import builtins

import pytest
from PIL import Image as PilImage

from wyner.cli import main


def test_demo(tmp_path, monkeypatch, capsys, fake_codec):
    pytest.importorskip("skimage")
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "-o", "d", "-q", "0"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    sizes = {row[0]: int(row[1]) for row in rows if row and row[0] in ("wyner", "JPEG", "WebP")}
    assert set(sizes) == {"wyner", "JPEG", "WebP"}
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["astronaut.wyn", "side-by-side.png"]
    assert PilImage.open("d/side-by-side.png").size[0] == 1024
    assert main(["compare", "d/side-by-side.png", "d/astronaut.wyn"]) == 2


def test_demo_names_the_extra(tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("skimage"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["demo"]) == 1
    assert "pip install 'wyner[demo]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
