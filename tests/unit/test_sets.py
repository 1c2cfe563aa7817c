"""Sets of pictures: the joint fit, the file, and what is decoded from it. The pictures are tiny."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from skimage import data

pytest.importorskip("wyner._native", reason="the native extension is not built")

from damage import damaged
from random_overfit import random_stream

import wyner
from wyner import _native, container, set_container
from wyner.codecs import shared
from wyner.codecs.base import Settings
from wyner.codecs.overfit.fit import fit_and_code
from wyner.codecs.overfit.stream import Picture, round_latents
from wyner.codecs.shared import own
from wyner.codecs.shared.subjects import PictureSet
from wyner.errors import CorruptError, LimitError, UnsupportedError, UsageError
from wyner.image import Image
from wyner.reference import decode_shared

PHOTO = np.ascontiguousarray(data.astronaut()[60:156, 160:300])
TILES = [np.ascontiguousarray(PHOTO[y : y + 48, x : x + 46]) for y in (0, 48) for x in (0, 46, 92)]


@pytest.fixture(scope="module")
def mixed() -> tuple[list[Image], bytes]:
    """Pictures of many kinds, and their set."""
    deep = TILES[1].astype(np.uint16) * 257
    pictures = [
        Image(TILES[0], exif=b"II*\x00" + bytes(90), xmp=b"<x/>"),
        Image(TILES[1], icc=bytes(range(99))),
        Image(deep[:9, :1]),
        Image(TILES[2][:, :, 1:2], alpha=TILES[2][:, :, 0]),
        Image(PHOTO[:1, :1]),
    ]
    names = ["a", "b", "c", "d", "é"]
    return pictures, wyner.encode_set(pictures, names=names, quality=50, effort=1, store_hash=True)


def psnr_db(pictures: list[np.ndarray], decoded: list[np.ndarray]) -> float:
    errors = np.concatenate([(a.astype(float) - b).ravel() for a, b in zip(pictures, decoded, strict=True)])
    return float(10 * np.log10(255**2 / np.mean(errors**2)))


@pytest.mark.parametrize("grids", [1, 3, 9])
def test_gradients_are_the_weighted_sum_of_those_of_each_picture(grids: int) -> None:
    """Those of one picture are tested against autograd (test_fit_gradients)."""
    rng = np.random.default_rng(grids)
    shapes = [(3, 37, 53), (1, 8, 5), (3, 37, 53), (3, 1, 1), (1, 70, 2)]
    images = [rng.random(shape, np.float32) for shape in shapes]
    together = _native.SetFitter(images, 2, grids, 2, 5)
    params = together.get_params()
    params += rng.normal(0, 0.02, params.size).astype(np.float32)
    latents = [rng.normal(0, 2, y.shape).astype(np.float32) for y in together.get_latents()]
    together.set_params(params)
    together.set_latents(latents)
    found = together.gradients(0.01)
    pixels = np.array([h * w for _, h, w in shapes])
    gradient, mse, bits = np.zeros(params.size), 0.0, np.zeros(grids)
    for k, share in enumerate(pixels / pixels.sum()):
        one = _native.Fitter(images[k], 2, grids, 1, 0)
        one.set_params(params)
        one.set_latents(latents[k * grids : (k + 1) * grids])
        of_one = one.gradients(0.01)
        gradient += share * of_one["params"].astype(float)
        mse += share * of_one["mse"]
        bits += of_one["grid_bits"]
    assert np.abs(found["params"] - gradient).max() < 1e-6 * np.abs(gradient).max()
    assert found["mse"] == pytest.approx(mse, rel=1e-12)
    assert found["grid_bits"] == pytest.approx(bits, rel=1e-12)
    assert found["loss"] == pytest.approx(mse + 0.01 * bits.sum() / pixels.sum(), rel=1e-6)


def test_a_set_of_one_is_fitted_as_one_picture() -> None:
    image = np.ascontiguousarray(PHOTO.transpose(2, 0, 1).astype(np.float32) / 255)
    one, together = _native.Fitter(image, 3, 7, 1, 4), _native.SetFitter([image], 3, 7, 1, 4)
    arguments = (20, 0.16, 0.01, 0.4, 0.2, 0.003)
    assert one.run(*arguments) == together.run(*arguments)
    np.testing.assert_array_equal(one.get_params(), together.get_params())


@pytest.mark.parametrize("seed", range(6))
def test_native_and_reference_decoders_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stream = random_stream(rng, 40, 33, seed % len(_native.overfit_models()), 1 + int(rng.integers(9)))
    s = stream
    networks = _native.set_encode_networks(s.model, len(s.latents), s.fa, s.fu, s.k, s.s, s.params)
    for width, height, channels, maxval in ((40, 33, 3, 255), (1, 1, 1, 65535), (7, 19, 3, 65535)):
        latents = random_stream(rng, width, height, stream.model, len(stream.latents)).latents
        payload = _native.set_encode_latents(networks, width, height, latents)
        shape = width, height, channels, maxval
        for threads in (1, 3):
            found = shared.decode(networks, payload, *shape, threads)
            np.testing.assert_array_equal(found, decode_shared(networks, payload, *shape))
        again = _native.set_inspect(networks, payload, width, height)["latents"]
        for a, b in zip(again, latents, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(7))
def test_networks_of_a_pictures_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grids = 1 + int(rng.integers(9))
    s, other = (random_stream(rng, 21, 18, seed, grids) for _ in range(2))
    networks = _native.set_encode_networks(s.model, grids, s.fa, s.fu, s.k, s.s, s.params)
    near = s.params + (rng.random(s.params.size) < 0.01) * (s.params != 0)  # absent parameters stay 0
    for mine in ((s.fa, s.fu, s.k, s.s, near), (other.fa, other.fu, other.k, other.s, other.params)):
        payload = _native.set_encode_own(networks, *mine, 21, 18, other.latents)
        found = _native.set_inspect(networks, payload, 21, 18)
        assert (found["fa"], found["fu"], found["k"]) == mine[:3]
        np.testing.assert_array_equal(found["params"], mine[4])
        for a, b in zip(found["latents"], other.latents, strict=True):
            np.testing.assert_array_equal(a, b)
        decoded = shared.decode(networks, payload, 21, 18, 3, 255)
        np.testing.assert_array_equal(decoded, decode_shared(networks, payload, 21, 18, 3, 255))
    same = _native.set_encode_own(networks, s.fa, s.fu, s.k, s.s, s.params, 21, 18, s.latents)
    assert same == _native.set_encode_latents(networks, 21, 18, s.latents)


def test_damaged_payloads_are_refused_by_both_decoders_or_by_none() -> None:
    rng = np.random.default_rng(3)
    s, other = (random_stream(rng, 12, 9, 0, 4) for _ in range(2))
    networks = _native.set_encode_networks(s.model, 4, s.fa, s.fu, s.k, s.s, s.params)
    theirs = other.fa, other.fu, other.k, other.s, other.params
    payload = _native.set_encode_own(networks, *theirs, 12, 9, other.latents)
    outcomes = set()
    for _ in range(60):
        broken = damaged(payload, rng)
        found = []
        for decode in (shared.decode, decode_shared):
            try:
                found.append(decode(networks, broken, 12, 9, 3, 255).tobytes())
            except CorruptError:
                found.append("corrupt")
        assert found[0] == found[1]
        outcomes.add(found[0] == "corrupt")
    assert outcomes == {True, False}


def test_a_picture_unlike_its_set_gets_networks_of_its_own() -> None:
    """At a rate where they pay, the file is better for them than with what the joint fit alone gives."""
    pictures = [PHOTO[:96, :96], 255 - PHOTO[:96, 40:136]]
    pictures = [np.ascontiguousarray(picture) for picture in pictures]
    settings = Settings(quality=85, effort=2)  # 5 %; near 60, whether they pay is chance
    networks, payloads = shared.encode(pictures, settings)
    found = [_native.set_inspect(networks, payload, 96, 96)["params"] for payload in payloads]
    assert any((params != _native.set_inspect_networks(networks)["params"]).any() for params in found)
    subject = PictureSet(tuple(map(Picture, pictures)))
    joint = fit_and_code(subject, settings, None)
    assert joint.payloads[0] == networks
    shape = 96, 96, 3, 255
    mse = np.mean(
        [p.mse(shared.decode(networks, y, *shape)) for p, y in zip(subject.pictures, payloads, strict=True)]
    )
    bits = 8 * (len(networks) + sum(map(len, payloads)))
    lam = joint.lam / subject.area
    assert mse + lam * bits < joint.mse + lam * joint.bits


@pytest.mark.parametrize("goal", [{"target_size": 3200}, {"target_psnr": 32.0}])
def test_networks_of_their_own_keep_to_a_target(
    goal: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures unlike each other; on one thread or on three."""
    monkeypatch.setattr(own, "LEAST_BYTES", 100)
    noise = np.random.default_rng(0).integers(110, 130, (30, 30, 3)).astype(np.uint8)
    pictures = [
        noise,
        np.ascontiguousarray(PHOTO[:60, :60]),
        np.ascontiguousarray(255 - PHOTO[10:70, 60:120]),
    ]
    phases = set()

    def progress(now: wyner.Progress) -> None:
        phases.add(now.phase)

    files = [wyner.encode_set(pictures, effort=1, threads=n, progress=progress, **goal) for n in (1, 3)]
    assert "each alone" in phases
    assert files[0] == files[1]
    if "target_size" in goal:
        assert len(files[0]) <= 3200 * 1.02
    else:
        decoded = [image.pixels for image in wyner.decode_set(files[0])]
        assert psnr_db(pictures, decoded) > 32 * 0.98


def test_progress_of_what_is_added_goes_to_its_end() -> None:
    """At a low rate too, where a picture by itself begins at half its size."""
    file = wyner.encode_set(TILES[:2], quality=10, effort=1)
    seen: list[wyner.Progress] = []
    wyner.add_to_set(file, TILES[2][:20, :20], quality=10, effort=1, progress=seen.append)
    last = [now for now in seen if now.phase == "fit"][-1]
    assert last.step == last.steps


def test_an_icon_that_is_added_costs_what_it_would_have_cost() -> None:
    icons = [
        np.ascontiguousarray(PHOTO[y : y + 16, x : x + 16]) for y in range(0, 64, 16) for x in (0, 16, 32)
    ]
    file = wyner.encode_set(icons, quality=30, effort=1)
    size = wyner.set_info(file).pictures[3].bytes
    grown = wyner.add_to_set(file, icons[3], quality=30, effort=1)
    assert len(grown) - len(file) < size + 12
    before, after = (psnr_db([icons[3]], [wyner.decode_picture(grown, k).pixels]) for k in (3, 12))
    assert after > before - 1


def test_adding_holds_to_the_limits_that_are_given() -> None:
    """And to no others: one picture has more metadata than is allowed by default."""
    large = Image(TILES[0], icc=bytes(65 << 20))
    file = wyner.encode_set([large], quality=20, effort=1)
    with pytest.raises(LimitError):
        wyner.add_to_set(file, TILES[1], quality=20, effort=1)
    limits = wyner.Limits(metadata_bytes=65 << 20)
    grown = wyner.add_to_set(file, TILES[1], quality=20, effort=1, limits=limits)
    assert len(wyner.set_info(grown, limits=limits).pictures) == 2


def test_adding_keeps_every_byte_that_is_there(mixed: tuple[list[Image], bytes]) -> None:
    _, file = mixed
    head, at = container.next_chunk(memoryview(file), 5)[1:]
    unknown = container.chunk("q", b"of a later minor version")
    newer = file[:4] + b"\x13" + container.chunk("M", bytes(head)) + unknown + file[at:]
    grown = wyner.add_to_set(newer, TILES[3], name="f", quality=30, effort=1)
    first_picture = file[len(file) - sum(p.bytes for p in wyner.set_info(file).pictures) :]
    assert grown[4] == 0x13 and unknown in grown and first_picture in grown
    assert wyner.decode_set(grown)[:5] == wyner.decode_set(file)


def test_an_exception_from_progress_ends_every_fit() -> None:
    class Enough(Exception):
        pass

    def progress(now: wyner.Progress) -> None:
        if now.phase == "each alone":
            raise Enough

    tiles = [np.ascontiguousarray(PHOTO[:96, x : x + 40]) for x in (0, 40, 80)]
    with pytest.raises(Enough):
        wyner.encode_set(tiles, quality=75, effort=1, threads=3, progress=progress)


def test_every_picture_comes_back_as_the_kind_it_was(mixed: tuple[list[Image], bytes]) -> None:
    pictures, file = mixed
    decoded = wyner.decode_set(file, check_hash=True)
    assert len(decoded) == len(pictures)
    for k, (picture, image) in enumerate(zip(pictures, decoded, strict=True)):
        assert image.pixels.shape == picture.pixels.shape and image.pixels.dtype == picture.pixels.dtype
        assert np.abs(image.pixels.astype(float) - picture.pixels).mean() / picture.maxval < 0.06
        assert (image.icc, image.exif, image.xmp) == (picture.icc, picture.exif, picture.xmp)
        assert (image.alpha is None) == (picture.alpha is None)
        assert wyner.decode_picture(file, k, threads=2) == image
    np.testing.assert_array_equal(decoded[3].alpha, pictures[3].alpha)
    assert wyner.decode_picture(file, "é") == decoded[4]
    facts = wyner.set_info(file)
    assert [picture.name for picture in facts.pictures] == ["a", "b", "c", "d", "é"]
    assert (
        facts.shared_bytes + sum(picture.bytes for picture in facts.pictures) == facts.file_bytes == len(file)
    )


def test_threads_do_not_change_a_bit() -> None:
    """Neither threads that share a picture, of more than 50 000 pixels, nor those that have their own."""
    small = [np.ascontiguousarray(t.transpose(2, 0, 1).astype(np.float32) / 255) for t in TILES[:5]]
    for images in (small, [*small, np.tile(small[0], (1, 6, 5))]):
        ends = []
        for threads in (1, 3, 4):
            fitter = _native.SetFitter(images, 3, 7, threads, 1)
            result = fitter.run(6, 0.16, 0.01, 0.4, 0.2, 0.003)
            ends.append((result, fitter.get_params().tobytes(), [y.tobytes() for y in fitter.get_latents()]))
        assert ends[0] == ends[1] == ends[2]


def test_a_size_is_that_of_the_whole_file() -> None:
    file = wyner.encode_set(TILES[:4], names=["a", "b", "c", "d"], effort=2, target_size=1500)
    assert len(file) == pytest.approx(1500, rel=0.02)


def test_a_set_of_tiles_is_much_smaller_than_a_file_for_each() -> None:
    tiles = [np.ascontiguousarray(PHOTO[y : y + 64, x : x + 64]) for y in (0, 32) for x in (0, 70)]
    together = wyner.encode_set(tiles, quality=25, effort=2)
    alone = [wyner.encode(tile, quality=25, effort=2) for tile in tiles]
    before = psnr_db(tiles, [wyner.decode(file).pixels for file in alone])
    after = psnr_db(tiles, [image.pixels for image in wyner.decode_set(together)])
    assert after > before - 0.2
    assert len(together) < 0.75 * sum(map(len, alone))


def test_adding_leaves_what_is_there_and_costs_no_networks(mixed: tuple[list[Image], bytes]) -> None:
    _, file = mixed
    grown = wyner.add_to_set(file, TILES[3], name="f", quality=50, effort=1)
    old, new = set_container.read(file), set_container.read(grown)
    assert new.networks == old.networks and new.pictures[:5] == old.pictures
    decoded = wyner.decode_set(grown, check_hash=True)
    assert decoded[:5] == wyner.decode_set(file)
    assert new.pictures[5].pixel_hash is not None
    alone = wyner.encode(TILES[3], quality=50, effort=1)
    assert len(grown) - len(file) < len(alone)
    assert psnr_db([TILES[3]], [decoded[5].pixels]) > 24
    small = wyner.add_to_set(file, TILES[3], name="f", target_size=400, effort=1)
    assert len(small) - len(file) == pytest.approx(400, rel=0.02)


def test_names_that_do_not_fit_are_refused(mixed: tuple[list[Image], bytes]) -> None:
    _, file = mixed
    for name in (None, "a", "", "../f", "f/g", ".f", "x" * 201, "a\nb", "\ud800"):
        with pytest.raises(UsageError):
            wyner.add_to_set(file, TILES[3], name=name, effort=1)
    with pytest.raises(UsageError, match="no picture called 'z'"):
        wyner.decode_picture(file, "z")
    with pytest.raises(UsageError, match="none of number 5"):
        wyner.decode_picture(file, 5)
    assert set_container.usable_names(["x", "x", "../y", "", "\ud800", "z" * 300]) == (
        "x", "x_2", "_y", "picture", "_", "z" * 192,
    )  # fmt: skip
    assert set_container.usable_names(["x_2", "x", "x", "x"]) == ("x_2", "x", "x_3", "x_4")
    for mark in '<>:"/\\|?*\0\x1f\x7f\x9f\u200e\u200f\u2028\u202e\u2066\u2069\ud800\udfff':
        assert not set_container.is_name(f"a{mark}b")
    for mark in " \xa0\u200d\u2027\u202f\u2065\u206a\ue000é[]^-.":
        assert set_container.is_name(f"a{mark}b")


def test_a_set_is_no_picture_and_a_picture_no_set(mixed: tuple[list[Image], bytes]) -> None:
    _, file = mixed
    for function in (wyner.decode, wyner.info):
        with pytest.raises(UnsupportedError, match="a set of pictures"):
            function(file)
    one = wyner.encode(TILES[0], quality=30, effort=1)
    with pytest.raises(UsageError, match="holds one picture"):
        wyner.decode_set(one)
    alone = dataclasses.replace(set_container.read(file).pictures[0], chunks=())
    with pytest.raises(CorruptError, match="without its set"):
        wyner.decode(container.write(alone))
    with pytest.raises(UsageError, match="at least one"):
        wyner.encode_set([])
    for wrong in ("photo.png", b"photo"):
        with pytest.raises(UsageError, match="list of pictures"):
            wyner.encode_set(wrong)
    with pytest.raises(UsageError, match="of names"):
        wyner.encode_set(TILES[:2], names="ab")
    with pytest.raises(UsageError, match="no picture called None"):
        wyner.decode_picture(file, None)
    stack = wyner.encode_set(np.stack(TILES[:2]), quality=5, effort=1)
    with pytest.raises(UsageError, match="no names"):
        wyner.add_to_set(stack, TILES[0], name="")


def test_limits_hold_for_all_that_is_decoded(mixed: tuple[list[Image], bytes]) -> None:
    pictures, file = mixed
    area = sum(picture.width * picture.height for picture in pictures)
    assert len(wyner.decode_set(file, limits=wyner.Limits(pixels=area))) == 5
    with pytest.raises(LimitError):
        wyner.decode_set(file, limits=wyner.Limits(pixels=area - 1))
    with pytest.raises(LimitError):
        wyner.decode_set(file, limits=wyner.Limits(macs=100_000))
    assert wyner.decode_picture(file, 4, limits=wyner.Limits(pixels=area - 1, macs=100_000)).pixels.size == 3


def test_networks_that_a_decoder_would_reject_are_not_written() -> None:
    stream = random_stream(np.random.default_rng(0), 9, 9, 0, 3)
    s = stream
    with pytest.raises(ValueError, match="params must have"):
        _native.set_encode_networks(s.model, 3, s.fa, s.fu, s.k, s.s, s.params[:-1])
    with pytest.raises(ValueError, match="fa is not"):
        _native.set_encode_networks(s.model, 3, 3, s.fu, s.k, s.s, s.params)
    networks = _native.set_encode_networks(s.model, 3, s.fa, s.fu, s.k, s.s, s.params)
    with pytest.raises(ValueError, match="one latent grid for each"):
        _native.set_encode_latents(networks, 9, 9, s.latents[:2])
    large = [np.full_like(y, 4096) for y in s.latents]
    with pytest.raises(ValueError, match="a latent is not in"):
        _native.set_encode_latents(networks, 9, 9, large)
    assert round_latents([np.array([[5000.0]], np.float32)])[0].item() == 4095
