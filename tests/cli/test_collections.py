"""wyner encode over folders: the same files however the work is divided, and whenever it is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

from wyner import io
from wyner.batch.manifest import merge, read
from wyner.cli import main
from wyner.image import Image

pytest.importorskip("wyner._native", reason="the native core is not built")

NAMES = ["a.png", "b.png", "x/a.png", "x/y/c.ppm", "x/y/d.png", "z.png"]
WYN = sorted(os.path.splitext(name)[0] + ".wyn" for name in NAMES)
ENCODE = ["encode", "in", "-e", "1"]
in_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


def make_pictures():
    """A folder of tiny pictures, and something else among them, in the current folder."""
    y, x = np.mgrid[0:12, 0:16]
    for index, name in enumerate(NAMES):
        os.makedirs(os.path.dirname(f"in/{name}"), exist_ok=True)
        io.write(f"in/{name}", Image.from_array(np.dstack([9 * x + index, 9 * y, x * y]).astype(np.uint8)))
    Path("in/note.txt").write_text("no picture")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with pictures."""
    monkeypatch.chdir(tmp_path)
    make_pictures()
    return tmp_path


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The files as one process makes them, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("expected"))
        make_pictures()
        assert main([*ENCODE, "-o", "out"]) == 0
        return outputs(Path("out"))


def outputs(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.wyn"))}


def others(folder):
    """What lies in a folder of outputs beside them and manifests."""
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".wyn", ".jsonl")]


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "wyner", *ENCODE, "-o", "out", "--json", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, start_new_session=True, **streams)


def workers(pid):
    """The worker processes of a running command."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [
        child for child in found if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def gone(pids):
    for _ in range(1000):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.01)
    return False


def test_jobs_and_shards_make_the_same_files(folder, expected, capsys):
    assert sorted(expected) == WYN
    assert main([*ENCODE, "-o", "jobs", "-j", "2", "--json"]) == 0
    assert outputs(folder / "jobs") == expected and not others(folder / "jobs")
    assert sorted(line["output"] for line in lines(capsys.readouterr().out)) == [
        f"jobs/{name}" for name in WYN
    ]
    seen = []
    for number in (1, 2, 3):
        assert main([*ENCODE, "-o", "shards", "--shard", f"{number}/3", "--resume", "--json"]) == 0
        seen += [line["input"] for line in lines(capsys.readouterr().out)]
    assert sorted(seen) == [f"in/{name}" for name in NAMES]
    assert outputs(folder / "shards") == expected
    manifests = sorted((folder / "shards").glob("*.jsonl"))
    assert [path.name for path in manifests] == [f"manifest-{number}-of-3.jsonl" for number in (1, 2, 3)]
    assert [record["output"] for record in merge(manifests, folder / "all.jsonl", by="output")] == WYN


def test_ray_makes_the_same_files(folder, expected, monkeypatch, capsys):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    Path("in/bad.png").write_text("junk")
    options = ["-o", "out", "-j", "2", "--executor", "ray", "--json", "--resume"]
    assert main(["encode", "in/none.png", *ENCODE[1:], *options]) in (1, 4)
    captured = capsys.readouterr()
    failed = {line["input"]: line["kind"] for line in lines(captured.out) if not line["ok"]}
    assert failed == {"in/bad.png": "UnsupportedError", "in/none.png": "FileNotFoundError"}
    assert len(lines(captured.out)) == len(NAMES) + 2
    assert outputs(folder / "out") == expected and not others(folder / "out")


def test_lists(folder, expected):
    Path("list").write_text("\n".join(f"in/{name}" for name in NAMES[:4]))
    assert main(["encode", "--list", "list", "-e", "1", "-o", "out", "-j", "2"]) == 0
    assert outputs(folder / "out") == {
        f"in/{name}": data for name, data in expected.items() if name in WYN[:2] + WYN[2:4]
    }
    assert main(["decode", "out", "-o", "back"]) == 0
    assert sorted(str(path.relative_to("back")) for path in Path("back").rglob("*.png")) == [
        "in/a.png",
        "in/b.png",
        "in/x/a.png",
        "in/x/y/c.png",
    ]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_bad_files_are_one_line_each(folder, expected, capsys, jobs):
    Path("in/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("in/x/note.png").write_text("hello")
    assert main(["encode", "in/none.png", *ENCODE[1:], "-o", "out", "-j", jobs]) in (1, 3, 4)
    bad = sorted(line for line in capsys.readouterr().err.splitlines() if line.startswith("wyner: "))
    assert [line.split(": ")[1] for line in bad] == ["in/bad.png", "in/none.png", "in/x/note.png"]
    assert bad[1] == "wyner: in/none.png: No such file or directory"
    assert outputs(folder / "out") == expected


def test_names_that_clash_are_told_before_any_work(folder, capsys):
    io.write("in/a.jpg", io.read("in/a.png"))
    assert main([*ENCODE, "-o", "out"]) == 2
    assert "in/a.jpg and in/a.png would both become out/a.wyn" in capsys.readouterr().err
    assert not Path("out").exists()


def test_resuming_skips_what_is_done_and_there(folder, expected, capsys):
    def again(*arguments):
        code = main([*ENCODE, "-o", "out", "--resume", "--json", *arguments])
        found = lines(capsys.readouterr().out)
        assert len(found) == len(NAMES) and outputs(folder / "out").keys() == set(WYN)
        return code, sorted(line["output"][4:] for line in found if line["ok"] and not line.get("skipped"))

    assert again() == (0, WYN)
    times = {name: os.stat(f"out/{name}").st_mtime_ns for name in WYN}
    assert again("-j", "2") == again("-f") == (0, [])
    assert times == {name: os.stat(f"out/{name}").st_mtime_ns for name in WYN}
    Path("out/a.wyn").unlink()
    assert again() == (0, ["a.wyn"])
    io.write("in/b.png", Image.from_array(np.zeros((8, 8, 3), np.uint8)), overwrite=True)
    assert again() == (0, ["b.wyn"])
    assert again("--hash") == (0, WYN)
    assert again("--hash") == (0, [])
    assert main([*ENCODE, "-o", "out"]) == 1  # and nothing is overwritten without a manifest that allows it


def test_resuming_takes_over_what_it_made_and_nothing_else(folder, expected, capsys):
    os.makedirs("out/x")
    Path("out/a.wyn").write_bytes(expected["a.wyn"])  # as if killed before the line of the manifest
    Path("out/b.wyn").write_bytes(b"something of mine")
    assert main([*ENCODE, "-o", "out", "--resume", "--json"]) == 1
    failed = [line for line in lines(capsys.readouterr().out) if not line["ok"]]
    assert [line["input"] for line in failed] == ["in/b.png"] and "exists" in failed[0]["error"]
    assert Path("out/b.wyn").read_bytes() == b"something of mine"
    assert outputs(folder / "out").keys() == expected.keys()
    assert main([*ENCODE, "-o", "out", "--resume", "-f"]) == 0
    assert outputs(folder / "out") == expected


def test_another_number_of_shards_finds_what_is_done(folder, expected, capsys):
    for number in (1, 2):
        main([*ENCODE, "-o", "out", "--resume", "--shard", f"{number}/2"])
    capsys.readouterr()
    assert main([*ENCODE, "-o", "out", "--resume", "--json"]) == 0
    assert all(line["skipped"] for line in lines(capsys.readouterr().out))
    assert outputs(folder / "out") == expected


def test_a_missed_target_is_told_again_without_new_work(folder, capsys):
    command = ["encode", "in", "-e", "1", "-o", "out", "--resume", "--json", "--target-size", "30"]
    assert main(command) == 6
    first = lines(capsys.readouterr().out)
    assert main(command) == 6
    second = lines(capsys.readouterr().out)
    assert [line["exit_code"] for line in first + second if not line["ok"]].count(6) >= 2
    assert all(line.get("skipped") for line in second) and not any(line.get("skipped") for line in first)


@in_proc
def test_a_killed_run_goes_on(folder, expected):
    process = start("--resume", "-j", "2")
    first = json.loads(process.stdout.readline())
    pids = workers(process.pid)
    process.kill()
    process.communicate()
    assert len(pids) == 2 and gone(pids)
    path = Path("out/manifest-1-of-1.jsonl")
    recorded = {record["output"] for record in read(path)}
    assert first["output"][4:] in recorded and len(recorded) < len(NAMES)
    with path.open("ab") as file:
        file.write(b'{"input": "in/z.png", "outp')
    process = start("--resume", "-j", "2")
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert {line["output"][4:] for line in lines(out) if line.get("skipped")} == recorded
    assert outputs(folder / "out") == expected
    assert sorted(record["output"] for record in read(path)) == WYN


@in_proc
def test_a_killed_worker_costs_nothing_but_its_file(folder, expected):
    process = start("--resume", "-j", "2")
    process.stdout.readline()
    os.kill(workers(process.pid)[0], signal.SIGKILL)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert outputs(folder / "out") == expected and len(lines(out)) == len(NAMES) - 1
    attempts = sorted(record["attempts"] for record in read("out/manifest-1-of-1.jsonl"))
    assert attempts in ([1, 1, 1, 1, 1, 2], [1, 1, 1, 1, 1, 1])  # the latter if it was between two files


@in_proc
def test_an_interrupt_stops_all_workers(folder):
    process = start("-j", "2")
    process.stdout.readline()
    pids = workers(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "wyner: interrupted" and "Traceback" not in errors
    assert len(pids) == 2 and gone(pids)
    assert not others(folder / "out")


@in_proc
def test_a_node_that_vanishes_loses_and_repeats_nothing_else(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    demonstration = pytest.importorskip("ray_two_nodes", reason="benchmarks/ is not part of this tree")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    found = demonstration.demonstrate(tmp_path, 10, 48, 32)
    assert found["exit_code"] == 0 and found["in_flight_on_the_killed_node"] == 1
    counts = (
        "lines",
        "lines_ok",
        "files_in_manifest",
        "files_equal_to_one_process",
        "skipped_by_the_second_run",
    )
    assert [found[count] for count in counts] == [10] * len(counts)
    assert found["files_in_manifest_twice"] == found["files_left_over"] == 0
    assert found["files_started_again"] <= 1
