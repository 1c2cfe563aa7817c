"""Damage to sets: cut at every byte, bits flipped, chunks that do not belong; and what comes back whole."""

from __future__ import annotations

import dataclasses
import zlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("wyner._native", reason="the native extension is not built")

from damage import damaged, no_more_memory_than

import wyner
from wyner import container, set_container
from wyner.container import Container, Header, chunk, varint
from wyner.errors import CorruptError, LimitError, UnsupportedError
from wyner.set_container import SetFile

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(90, 120, (9, 12, 3)).astype(np.uint8), np.zeros((4, 5, 1), np.uint8)]
FILE = wyner.encode_set(PICTURES, names=["one", "two"], quality=40, effort=1)
PARTS = set_container.read(FILE)
HEADS = st.builds(
    Header,
    st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 3]), st.sampled_from([8, 16]),
    st.just(False), st.just(6), st.just(1),
)  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def outcome(file: bytes) -> str:
    """ "pictures", or the name of our error; any other exception goes through."""
    try:
        images = wyner.decode_set(file, threads=1)
    except wyner.WynerError as error:
        return type(error).__name__
    assert images
    return "pictures"


def assembled(head: bytes, *chunks: bytes) -> bytes:
    return container.PREAMBLE + chunk("M", head + PARTS.networks) + b"".join(chunks)


HEAD = varint(1) + b"\x06\x01"
PICTURE = container.write_picture(PARTS.pictures[0])


def test_files_cut_at_every_byte() -> None:
    assert {outcome(FILE[:length]) for length in range(len(FILE))} == {"CorruptError"}


def test_damaged_files() -> None:
    rng = np.random.default_rng(1)
    found = Counter(outcome(damaged(FILE, rng)) for _ in range(300))
    assert set(found) <= {"CorruptError", "UnsupportedError", "UsageError"}


def test_damaged_networks_and_payloads_with_checksums_that_agree() -> None:
    rng = np.random.default_rng(2)
    picture = PARTS.pictures[0]
    found: Counter[str] = Counter()
    for k in range(300):
        networks, payload = PARTS.networks, picture.payload
        if k % 2:
            networks = damaged(networks, rng)
        else:
            payload = damaged(payload, rng)
        changed = Container(picture.header, payload)
        found[outcome(set_container.write(SetFile(6, 1, networks, (changed,))))] += 1
    assert set(found) <= {"pictures", "CorruptError", "UnsupportedError"}
    assert found["pictures"] and found["CorruptError"]


@pytest.mark.parametrize(
    ("file", "error", "message"),
    [
        (assembled(HEAD, PICTURE), None, None),
        (assembled(HEAD, chunk("q", b"skip me"), PICTURE), None, None),
        (assembled(HEAD, PICTURE, PICTURE), CorruptError, "follow the end"),
        (assembled(varint(2) + b"\x06\x01", PICTURE), CorruptError, "a chunk is missing"),
        (assembled(varint(0) + b"\x06\x01"), CorruptError, "header of the set"),
        (assembled(varint(65537) + b"\x06\x01", PICTURE), CorruptError, "header of the set"),
        (assembled(varint(1) + b"\x01\x01", PICTURE), CorruptError, "another codec"),
        (assembled(varint(1) + b"\x06\x02", PICTURE), CorruptError, "another codec"),
        (assembled(HEAD, chunk("H", b""), chunk("D", b"")), CorruptError, "truncated"),
        (assembled(HEAD, chunk("Z", b""), PICTURE), UnsupportedError, "'Z'"),
        (assembled(HEAD, chunk("A", b""), PICTURE), CorruptError, "'A' is not where"),
        (assembled(HEAD, chunk("M", b""), PICTURE), CorruptError, "'M' is not where"),
        (assembled(HEAD, chunk("h", bytes(16)), PICTURE), CorruptError, "'h' is not where"),
        (assembled(HEAD, chunk("n", b"\0a"), chunk("n", b"\0a"), PICTURE), CorruptError, "'n' appears twice"),
        (assembled(HEAD, chunk("n", b"\0a\nb"), PICTURE), CorruptError, "another number of names"),
        (
            assembled(HEAD, chunk("n", b"\0../a"), PICTURE),
            CorruptError,
            "names of the pictures are malformed",
        ),
        (assembled(HEAD, chunk("n", b"\0\xff"), PICTURE), CorruptError, "not UTF-8"),
        (assembled(HEAD, chunk("n", b"\x02a"), PICTURE), UnsupportedError, "method 2"),
        (assembled(HEAD, PICTURE.replace(PICTURE[-1:], b"", 1)), CorruptError, "truncated in chunk 'D'"),
    ],
)
def test_rules_of_the_file(file: bytes, error: type[Exception] | None, message: str | None) -> None:
    if error is None:
        assert len(wyner.decode_set(file)) == 1
    else:
        with pytest.raises(error, match=message):
            wyner.decode_set(file)


def test_names_and_metadata_are_bounded_before_they_are_unpacked() -> None:
    names = chunk("n", b"\x01" + zlib.compress(b"ab\n" * 20_000_000, 9))
    bomb = assembled(HEAD, names, PICTURE)
    with no_more_memory_than(10**6), pytest.raises(CorruptError, match="too long"):
        wyner.set_info(bomb)
    with pytest.raises(CorruptError, match="another number of names"):
        wyner.set_info(assembled(HEAD, chunk("n", b"\0" + b"a\n" * 60), PICTURE))
    picture = dataclasses.replace(PARTS.pictures[0], icc=bytes(600), chunks=())
    file = set_container.write(SetFile(6, 1, PARTS.networks, (picture, picture)))
    assert len(wyner.decode_set(file, limits=wyner.Limits(metadata_bytes=1200))) == 2
    with pytest.raises(LimitError):
        wyner.set_info(file, limits=wyner.Limits(metadata_bytes=1199))


@pytest.mark.parametrize("left", [100, -1, 0, 1])
def test_no_metadata_is_unpacked_once_the_limit_is_used_up(left: int) -> None:
    """Each of three is within it and all together are not; then comes a picture with more."""
    first = dataclasses.replace(PARTS.pictures[0], icc=bytes(600), exif=bytes(600), xmp=bytes(600), chunks=())
    second = dataclasses.replace(PARTS.pictures[0], icc=bytes(10_000), chunks=())
    file = set_container.write(SetFile(6, 1, PARTS.networks, (first, second)))
    with pytest.raises(LimitError):
        wyner.set_info(file, limits=wyner.Limits(metadata_bytes=1800 + left))
    with pytest.raises(LimitError):
        wyner.set_info(file, limits=wyner.Limits(metadata_bytes=600 + abs(left)))


def test_another_codec_or_version_is_unsupported() -> None:
    for codec, version in ((7, 1), (6, 2)):
        header = Header(12, 9, 3, 8, False, codec, version)
        file = set_container.write(SetFile(codec, version, b"", (Container(header, b""),)))
        with pytest.raises(UnsupportedError, match=f"version {version} of codec {codec}"):
            wyner.decode_set(file)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(HEADS, st.binary(max_size=30)), min_size=1, max_size=6),
    st.binary(max_size=50),
    st.data(),
)
def test_what_is_written_is_read(
    pictures: list[tuple[Header, bytes]], networks: bytes, more: st.DataObject
) -> None:
    names = None
    if more.draw(st.booleans()):
        count = len(pictures)
        names = set_container.usable_names(more.draw(st.lists(NAMES, min_size=count, max_size=count)))
    parts = SetFile(6, 1, networks, tuple(Container(*picture) for picture in pictures), names)
    back = set_container.read(set_container.write(parts))
    assert (back.networks, back.names) == (networks, names)
    assert [(picture.header, picture.payload) for picture in back.pictures] == pictures
