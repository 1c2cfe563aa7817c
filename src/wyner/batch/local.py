"""An executor of worker processes on this machine that outlives the death of any of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any

from ..errors import UsageError
from .executor import RETRIES, Finished, Function, Task, attempt_pickled, no_task_left, worker_lost

_GRACE_S = 3.0  # for a worker to remove its temporary files when it is told to stop
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class LocalExecutor:
    """Runs tasks in ``jobs`` worker processes, >= 1, one task at a time in each.

    Workers are started afresh (spawned) when first needed, live until ``close``, work in the folder that was
    current when the executor was made, ignore keyboard interrupts and end by themselves when this process is
    gone. Libraries of linear algebra get one thread in each, unless the environment says otherwise. What a
    task prints goes to standard error.

    A worker that dies, killed by the system for its memory or crashed, is replaced and its task tried again,
    up to ``retries`` times; the other workers go on.

    A program that uses it does its work under ``if __name__ == "__main__"``: workers import it.
    """

    def __init__(self, jobs: int, *, retries: int = RETRIES) -> None:
        if jobs < 1 or retries < 0:
            raise UsageError(f"jobs is {jobs} and retries {retries}, they must be at least 1 and 0")
        self._context = multiprocessing.get_context("spawn")
        self._folder = os.getcwd()
        self._jobs = jobs
        self._retries = retries
        self._count = 0
        self._queue: deque[Task] = deque()
        self._finished: deque[Finished] = deque()
        self._workers: list[_Worker] = []

    def submit(self, function: Function, payload: Any) -> int:
        """Take a task; see ``Executor``."""
        task = Task(self._count, function, payload)
        task.message()  # raises if it cannot be sent
        self._queue.append(task)
        self._count += 1
        self._dispatch()
        return self._count - 1

    def wait(self) -> Finished:
        """Wait for the next task that finishes; see ``Executor``."""
        while not self._finished:
            self._dispatch()
            busy = [worker for worker in self._workers if worker.task is not None]
            if not busy:
                raise no_task_left()
            ready = set(connection.wait([source for worker in busy for source in worker.sources]))
            for worker in busy:
                if ready.intersection(worker.sources):
                    self._collect(worker)
        self._dispatch()
        return self._finished.popleft()

    def close(self) -> None:
        """Stop the workers, those at work included; see ``Executor``."""
        self._queue.clear()
        self._finished.clear()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.process.terminate()
        deadline = time.monotonic() + _GRACE_S
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
            worker.end()

    def _dispatch(self) -> None:
        """Give queued tasks to idle workers, and to new ones up to the number of jobs."""
        while self._queue:
            worker = self._idle_worker()
            if worker is None:
                return
            worker.task = self._queue.popleft()
            worker.task.attempts += 1
            try:
                worker.connection.send_bytes(worker.task.message())
            except OSError:
                self._bury(worker, worker.task)

    def _idle_worker(self) -> _Worker | None:
        for worker in [worker for worker in self._workers if worker.task is None]:
            if worker.process.is_alive():
                return worker
            self._workers.remove(worker)
            worker.end()
        if len(self._workers) == self._jobs:
            return None
        self._workers.append(_Worker(self._context, self._folder, self._jobs))
        return self._workers[-1]

    def _collect(self, worker: _Worker) -> None:
        """Take the outcome of a worker that has sent one or died."""
        task = worker.task
        assert task is not None
        try:
            if not worker.connection.poll():
                raise EOFError
            outcome = worker.connection.recv_bytes()
        except (EOFError, OSError):
            self._bury(worker, task)
            return
        worker.task = None
        result, error, trace = pickle.loads(outcome)
        self._finished.append(Finished(task.number, result, error, task.attempts, trace))

    def _bury(self, worker: _Worker, task: Task) -> None:
        """Remove a dead worker; queue its task again, or give it up."""
        self._workers.remove(worker)
        reason = worker.end()
        if task.attempts <= self._retries:
            self._queue.appendleft(task)
        else:
            error = worker_lost(task.attempts, reason)
            self._finished.append(Finished(task.number, None, error, task.attempts))


class _Worker:
    """A process and our end of the pipe to it. task: what it works on."""

    def __init__(self, context: SpawnContext, folder: str, jobs: int) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, folder, jobs), daemon=True)
        with _interrupts_held():
            self.process.start()
        theirs.close()
        self.task: Task | None = None

    @property
    def sources(self) -> tuple[Any, ...]:
        """What becomes ready when the worker sends or dies."""
        return self.connection, self.process.sentinel

    def end(self) -> str:
        """Wait for the process, which is dead or about to be, and tell how it ended."""
        self.connection.close()
        self.process.join()
        code = self.process.exitcode or 0
        self.process.close()
        if code == -getattr(signal, "SIGKILL", 0):
            return "killed; is there enough memory?"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _serve(tasks: Connection, folder: str, jobs: int) -> None:
    """The life of a worker: tasks come in, outcomes go out, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An exit, unlike the signal's own effect, lets functions remove their temporary files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    os.chdir(folder)
    if jobs > 1:
        for name in _THREAD_VARIABLES:
            os.environ.setdefault(name, "1")
    while True:
        try:
            message = tasks.recv_bytes()
        except (EOFError, OSError):
            return
        tasks.send_bytes(attempt_pickled(message))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold keyboard interrupts back while a process starts: it inherits that, and we get them afterwards.

    A child that is interrupted before it can ignore it would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It unblocks interrupts when it starts, which it would do between here and the start of the child.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
