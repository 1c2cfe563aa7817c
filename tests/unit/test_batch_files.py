"""Shards, keys, manifests, and files from folders and lists."""

import io
import json
import os
import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyner.batch.content import content_key, task_key
from wyner.batch.expand import Source, expand
from wyner.batch.manifest import Manifest, is_done, latest, merge, read
from wyner.batch.shard import Shard
from wyner.errors import CorruptError, UsageError, WynerError


@given(st.lists(st.text(max_size=20), unique=True), st.integers(1, 9), st.randoms())
def test_each_name_is_in_exactly_one_shard_in_any_order(names, count, rng):
    shards = [Shard(number, count) for number in range(1, count + 1)]
    found = [[name for name in names if shard.holds(name)] for shard in shards]
    assert sorted(name for part in found for name in part) == sorted(names)
    shuffled = random.Random(rng.random()).sample(names, len(names))
    assert [sorted(name for name in shuffled if shard.holds(name)) for shard in shards] == list(
        map(sorted, found)
    )


def test_shards_are_of_similar_size_and_stay_as_they_are():
    names = [f"photos/{index}.png" for index in range(4000)]
    sizes = [sum(Shard(number, 4).holds(name) for name in names) for number in range(1, 5)]
    assert all(900 < size < 1100 for size in sizes)
    # Fixed for ever: machines of different versions share a collection.
    assert [Shard(number, 3).holds("a/b.wyn") for number in (1, 2, 3)] == [False, True, False]
    assert Shard(2, 3).holds("a\\b.wyn") and Shard(1, 3).file_name("manifest") == "manifest-1-of-3.jsonl"


def test_names_that_are_no_text_are_in_a_shard():
    assert sum(Shard(number, 5).holds(os.fsdecode(b"\xff.png")) for number in range(1, 6)) == 1


@pytest.mark.parametrize("text", ["", "1", "0/1", "2/1", "-1/2", "1/0", "1/2/3", "a/b", "1/ 2", "٣/٤"])
def test_wrong_shards(text):
    with pytest.raises(UsageError):
        Shard.parse(text)
    assert Shard.parse("2/8") == Shard(2, 8)


def test_keys(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert content_key(b"abc") == content_key(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223"
    key = task_key({"q": 1, "codec": "x"}, "1", "2")
    assert key == task_key({"codec": "x", "q": 1}, "1", "2") and len(key) == 32
    others = [task_key({"q": 2, "codec": "x"}, "1", "2"), task_key({"q": 1, "codec": "x"}, "2", "1")]
    assert len({key, *others, task_key({"q": 1, "codec": "x"}, "12")}) == 4
    with pytest.raises(ValueError):
        task_key({"q": float("nan")})


def test_a_manifest_grows_by_lines(tmp_path):
    path = tmp_path / "m.jsonl"
    manifest = Manifest(path)
    manifest.append({"key": "a", "n": 1})
    assert read(path) == [{"key": "a", "n": 1}]  # on the disk before the file is closed
    with pytest.raises(WynerError, match="another run"):
        Manifest(path)
    manifest.close()
    manifest.close()
    again = Manifest(path)
    assert again.records == [{"key": "a", "n": 1}]
    again.append({"key": "b", "name": "\udcff\n"})
    again.close()
    assert [record["key"] for record in read(path)] == ["a", "b"] and path.read_bytes().count(b"\n") == 2


RECORDS = [{"key": str(index), "text": "x" * index, "n": {"m": [1, 2.5, None]}} for index in range(4)]
DATA = b"".join(json.dumps(record).encode() + b"\n" for record in RECORDS)


@given(
    st.integers(0, len(DATA)), st.sampled_from([b"", b"\0\0\0", b"\0\n", b"[1]\n", b'{"key": "x"', b"\xff"])
)
def test_a_torn_end_is_cut_off(tmp_path_factory, length, garbage):
    path = tmp_path_factory.mktemp("m") / "m.jsonl"
    path.write_bytes(DATA[:length] + garbage)
    whole = [
        record
        for index, record in enumerate(RECORDS)
        if length >= len(b"".join(DATA.splitlines(True)[: index + 1]))
    ]
    assert read(path) == whole
    manifest = Manifest(path)
    assert manifest.records == whole
    manifest.append({"key": "new"})
    manifest.close()
    assert read(path) == [*whole, {"key": "new"}]


def test_damage_elsewhere_is_told(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"key": 1}\n{"ke\n{"key": 3}\n')
    for action in (read, Manifest):
        with pytest.raises(CorruptError, match=r"m\.jsonl: line 2 is damaged"):
            action(path)


def test_merging_keeps_the_last_of_each(tmp_path):
    first, second, both = (tmp_path / name for name in ("1.jsonl", "2.jsonl", "both.jsonl"))
    first.write_text('{"key": "b", "n": 1}\n{"key": "a", "n": 2}\n{"key": "b", "n": 3}\n')
    second.write_text('{"key": "c", "n": 4}\n{"key": "a", "n": 5}\n{"key": "to')
    expected = [{"key": "a", "n": 5}, {"key": "b", "n": 3}, {"key": "c", "n": 4}]
    assert merge([first, second], both) == expected == read(both)
    assert merge([both, both], both) == expected == read(both)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.jsonl", "2.jsonl", "both.jsonl"]
    assert latest([first, second], "key")["a"] == [{"key": "a", "n": 2}, {"key": "a", "n": 5}]
    assert latest([first], "key")["b"] == [{"key": "b", "n": 3}] and latest([first], "other") == {}
    with pytest.raises(CorruptError, match="has no field"):
        merge([first], both, by="output")


def test_done_means_recorded_and_still_there(tmp_path):
    path = tmp_path / "a.wyn"
    path.write_bytes(b"abc")
    record = {"key": "k", "output_hash": content_key(b"abc")}
    assert is_done(record, "k", path)
    assert not is_done(record, "other", path) and not is_done({}, "k", path)
    path.write_bytes(b"abd")
    assert not is_done(record, "k", path)
    path.unlink()
    assert not is_done(record, "k", path)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "p/b.png",
        "p/a.JPG",
        "p/x/y/c.png",
        "p/.hidden.png",
        "p/.git/d.png",
        "p/note.txt",
        "e/f.txt",
    ):
        os.makedirs(os.path.dirname(name), exist_ok=True)
        open(name, "w").close()
    os.symlink("..", "p/x/loop")
    return tmp_path


def test_folders(tree):
    suffixes = (".png", ".jpg")
    found = expand(["p", "q/none.png", "p/note.txt"], [], suffixes)
    assert found == [
        Source("p/a.JPG", "a.JPG", True),
        Source("p/b.png", "b.png", True),
        Source("p/x/y/c.png", "x/y/c.png", True),
        Source("q/none.png", "none.png"),
        Source("p/note.txt", "note.txt"),
    ]
    assert [source.name for source in expand(["p/"], [], suffixes)] == ["a.JPG", "b.png", "x/y/c.png"]
    for names in (["e"], []):
        with pytest.raises(UsageError):
            expand(names, [], suffixes)


def test_lists(tree, monkeypatch):
    far = str(tree / "p" / "b.png")
    text = f"\ufeffp/x/y/c.png\r\n\n./p/b.png\n../z/g.png\n{far}\n #1.png\np/x\n"
    (tree / "list").write_bytes(text.encode() + b"\xff.png")
    found = expand([], ["list"], (".png",))
    assert [(source.path, source.name) for source in found] == [
        ("p/x/y/c.png", "p/x/y/c.png"),
        ("./p/b.png", "p/b.png"),
        ("../z/g.png", "g.png"),
        (far, "b.png"),
        (" #1.png", " #1.png"),
        ("p/x/y/c.png", "p/x/y/c.png"),
        ("\udcff.png", "\udcff.png"),
    ]
    assert all(source.collected for source in found)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b".\n..\n")))
    os.chdir("p")
    names = [source.name for source in expand([], ["-"], (".png",))]
    assert names == ["b.png", "x/y/c.png", "p/b.png", "p/x/y/c.png"]
    (tree / "empty").write_text("\n")
    with pytest.raises(UsageError, match="names no files"):
        expand([], [str(tree / "empty")], (".png",))
    with pytest.raises(FileNotFoundError):
        expand([], ["no-list"], (".png",))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_an_error(tree):
    os.chmod("p/x", 0)
    try:
        with pytest.raises(PermissionError):
            expand(["p"], [], (".png",))
    finally:
        os.chmod("p/x", 0o755)
