"""What holds for every executor, and the deaths that local workers may die."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import batch_tasks as tasks
import pytest

from wyner.batch.executor import InlineExecutor, make_executor, run
from wyner.batch.local import LocalExecutor
from wyner.errors import CorruptError, TargetMissedError, UsageError, WynerError

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def ray_here():
    """A Ray of two cores that the executors of these tests join."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "PYTHONPATH", os.pathsep.join(filter(None, sys.path))
        )  # the nodes import the tasks by name
        with closing(make_executor("ray", 2)) as executor:
            yield executor
    assert not ray.is_initialized()


@pytest.fixture(params=["here", "local", "ray"])
def executor(request):
    if request.param == "ray":
        request.getfixturevalue("ray_here")
    with closing(
        make_executor("ray" if request.param == "ray" else "local", 1 if request.param == "here" else 2)
    ) as made:
        yield made


@pytest.fixture(params=["local", "ray"])
def remote(request):
    """Executors of other processes than this one."""
    if request.param == "ray":
        request.getfixturevalue("ray_here")
    with closing(make_executor(request.param, 2)) as made:
        yield made


def until(condition):
    """Wait until ``condition()`` is true, and return its value."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_every_task_is_done_once(executor):
    found = {payload: done for payload, done in run(executor, tasks.double, range(20))}
    assert {payload: done.result for payload, done in found.items()} == {n: 2 * n for n in range(20)}
    assert sorted(done.task for done in found.values()) == list(range(20))
    assert all(done.error is None and done.attempts == 1 and not done.trace for done in found.values())


def test_tasks_may_follow_while_others_run(executor):
    executor.submit(tasks.double, 1)
    assert executor.wait().result == 2
    numbers = {executor.submit(tasks.double, 10), executor.submit(tasks.double, 20)}
    assert {executor.wait().task, executor.wait().task} == numbers == {1, 2}


def test_waiting_for_nothing_is_an_error(executor):
    with pytest.raises(UsageError):
        executor.wait()
    executor.close()
    executor.close()


def test_errors_arrive_whole(executor):
    found = {kind: done for kind, done in run(executor, tasks.fail, ["corrupt", "missing", "missed"])}
    assert isinstance(found["corrupt"].error, CorruptError) and str(found["corrupt"].error) == "damaged"
    assert isinstance(found["missing"].error, FileNotFoundError)
    assert found["missing"].error.filename == "no-such-file"
    assert isinstance(found["missed"].error, TargetMissedError) and found["missed"].error.data == b"data"
    assert all("in fail" in done.trace and done.result is None for done in found.values())


def test_what_cannot_be_sent_is_an_error_of_its_task(remote):
    found = {kind: done for kind, done in run(remote, tasks.fail, ["stubborn", "function"])}
    assert isinstance(found["stubborn"].error, WynerError) and "ab" in str(found["stubborn"].error)
    assert isinstance(found["function"].error, WynerError) and "cannot be sent" in str(
        found["function"].error
    )
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        remote.submit(lambda _: None, 1)
    assert [done.result for _, done in run(remote, tasks.double, [4])] == [8]


def test_what_tasks_share_is_copied_when_their_turn_comes(remote):
    shared = bytes(1000)
    for _ in range(20):
        remote.submit(tasks.double, shared)
    assert len(remote._queue) > 10 and all(task.payload is shared for task in remote._queue)


def test_a_killed_worker_is_replaced_and_its_task_tried_again(remote, tmp_path):
    payloads = [(str(tmp_path), number) for number in range(6)]
    found = {payload[1]: done for payload, done in run(remote, tasks.note, payloads)}
    assert {number: done.result for number, done in found.items()} == {n: n for n in range(6)}
    starts = [int(path.name.split("-")[0]) for path in tmp_path.iterdir()]
    for number, done in found.items():
        # A task that waits behind one that kills their worker may be sent again, but was not started.
        assert starts.count(number) == 1 + number % 2 <= done.attempts


def test_a_task_that_kills_every_worker_is_given_up(remote):
    lethal = remote.submit(tasks.kill_me, None)
    others = {remote.submit(tasks.double, number) for number in range(5)}
    found = {done.task: done for done in (remote.wait() for _ in range(6))}
    assert set(found) == others | {lethal}
    assert isinstance(found[lethal].error, WynerError) and found[lethal].attempts == 3
    assert "died 3 times" in str(found[lethal].error)
    assert all(found[other].error is None for other in others)


def test_a_worker_that_exits_counts_as_dead():
    with closing(LocalExecutor(1, retries=0)) as executor:
        [(_, done)] = run(executor, tasks.leave, [5])
        assert "died once" in str(done.error) and "exit code 5" in str(done.error)


def test_sigkill_from_outside(tmp_path):
    with closing(LocalExecutor(2)) as executor:
        for seconds in (60.0, 0.0, 0.0):
            executor.submit(tasks.sleep, (str(tmp_path), seconds))
        assert {executor.wait().task, executor.wait().task} == {1, 2}
        sleeper = until(
            lambda: [
                p for p in tmp_path.glob("[0-9]*") if not Path(f"{p}.cleaned").exists() and p.suffix == ""
            ]
        )
        tmp_path.rename(tmp_path.with_name("gone"))  # the second attempt fails at once, and so ends
        os.kill(int(sleeper[0].name), signal.SIGKILL)
        done = executor.wait()
        assert done.task == 0 and done.attempts == 2 and isinstance(done.error, FileNotFoundError)


def test_an_idle_worker_that_dies_costs_no_attempt():
    with closing(LocalExecutor(1)) as executor:
        [(_, first)] = run(executor, tasks.where, [None])
        pid = first.result["pid"]
        os.kill(pid, signal.SIGKILL)
        # Its main thread may be a zombie while its other thread is still ending: wait for the whole process.
        until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        [(_, second)] = run(executor, tasks.where, [None])
        assert second.attempts == 1 and second.result["pid"] != pid


def test_closing_ends_running_tasks_after_their_cleaning_up(tmp_path):
    executor = LocalExecutor(2)
    for _ in range(3):
        executor.submit(tasks.sleep, (str(tmp_path), 60.0))
    pids = until(lambda: len(found := list(tmp_path.iterdir())) == 2 and [int(path.name) for path in found])
    start = time.monotonic()
    executor.close()
    assert time.monotonic() - start < 10
    assert not any(alive(pid) for pid in pids)
    assert sorted(path.name for path in tmp_path.glob("*.cleaned")) == sorted(
        f"{pid}.cleaned" for pid in pids
    )


_PARENT = """
import sys
import batch_tasks as tasks
from wyner.batch.local import LocalExecutor

if __name__ == "__main__":
    executor = LocalExecutor(2)
    for _ in range(2):
        executor.submit(tasks.sleep, (sys.argv[1], 60.0))
    executor.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path)], env=environment)
    try:
        pids = until(
            lambda: len(found := list(tmp_path.iterdir())) == 2 and [int(path.name) for path in found]
        )
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(alive(pid) for pid in pids))


def test_workers_have_our_folder_and_one_thread_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with closing(LocalExecutor(2)) as executor:
        found = [done.result for _, done in run(executor, tasks.where, range(2))]
    assert all(one["folder"] == os.getcwd() and one["threads"] == "1" for one in found)
    assert os.getpid() not in {one["pid"] for one in found}
    with closing(LocalExecutor(1)) as executor:
        [(_, done)] = run(executor, tasks.where, [None])
    assert done.result["threads"] is None


def test_what_a_task_prints_is_no_output_of_ours(capfd):
    with closing(LocalExecutor(1)) as executor:
        [(_, done)] = run(executor, tasks.speak, ["hello"])
    out, err = capfd.readouterr()
    assert done.error is None and out == "" and err.count("hello") == 2


def test_workers_set_their_threads_before_numpy_is_there():
    code = "import sys, wyner.batch.local; print('numpy' in sys.modules, 'ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_workers_go_from_task_to_task():
    with closing(LocalExecutor(2)) as executor:
        pids = {done.result["pid"] for _, done in run(executor, tasks.where, range(100))}
    assert len(pids) <= 2


def test_choice_of_executor():
    assert isinstance(make_executor("local"), InlineExecutor)
    assert isinstance(make_executor("local", 1), InlineExecutor)
    for arguments in ({"jobs": 0}, {"kind": "slurm"}, {"address": "auto"}):
        with pytest.raises(UsageError):
            make_executor(**arguments)


def test_ray_that_is_not_installed_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WynerError, match=r"pip install 'wyner\[ray\]'"):
        make_executor("ray")


def test_a_cluster_that_is_not_there_is_one_clear_line():
    pytest.importorskip("ray", reason="Ray is not installed")
    code = "from wyner.batch.executor import make_executor; make_executor('ray', address={!r})"
    for address, line in (
        ("127.0.0.1:1", "WynerError: there is no Ray cluster at 127.0.0.1:1: "),
        ("somewhere", "UsageError: the address of a Ray cluster is host:port or auto, not 'somewhere'"),
    ):
        done = subprocess.run([sys.executable, "-c", code.format(address)], capture_output=True, text=True)
        assert line in done.stderr.splitlines()[-1]
