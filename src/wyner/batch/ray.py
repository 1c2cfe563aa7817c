"""An executor on a Ray cluster, or on a Ray of its own on this machine (extra ``[ray]``)."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import time
from collections import deque
from typing import Any

from ..errors import UsageError, WynerError
from .executor import RETRIES, Finished, Function, Task, attempt_pickled, no_task_left, worker_lost

_AHEAD = 2  # tasks handed to Ray for each core of the cluster: enough that no core waits for us
_LOOK_S = 1.0  # how often to see whether the cluster has grown
_KNOCK_S = 10.0


class RayExecutor:
    """Runs tasks on Ray.

    address: of a cluster, "host:port", "auto" or "ray://host:port"; None starts a Ray on this machine, with
    ``jobs`` times ``cores`` cores, and stops it in ``close``. A Ray that this program is connected to already
    is used and left as it is. jobs: greatest number of tasks at the same time, >= 1; None fills the cluster,
    as it grows and shrinks. cores: that a task uses, >= 1. retries: how often a task is tried again whose
    worker or node died.

    Every node needs the same wyner, and the files of the payloads under the same absolute names.

    Raises UsageError for bad arguments, WynerError when Ray is not installed or the cluster not found.
    """

    def __init__(
        self, address: str | None = None, *, jobs: int | None = None, cores: int = 1, retries: int = RETRIES
    ) -> None:
        if (jobs is not None and jobs < 1) or cores < 1 or retries < 0:
            raise UsageError("jobs and cores must be at least 1, retries at least 0")
        self._ray = _import_ray()
        self._owner = not self._ray.is_initialized()
        if self._owner:
            _connect(self._ray, address, jobs, cores)
        self._remote = self._ray.remote(num_cpus=cores, max_retries=0)(attempt_pickled)
        self._jobs = jobs
        self._cores = cores
        self._retries = retries
        self._count = 0
        self._capacity = 1
        self._next_look = 0.0
        self._queue: deque[Task] = deque()
        self._running: dict[Any, Task] = {}

    def submit(self, function: Function, payload: Any) -> int:
        """Take a task; see ``Executor``."""
        task = Task(self._count, function, payload)
        task.message()  # raises if it cannot be sent
        self._queue.append(task)
        self._count += 1
        return self._count - 1

    def wait(self) -> Finished:
        """Wait for the next task that finishes; see ``Executor``."""
        while True:
            self._dispatch()
            if not self._running:
                raise no_task_left()
            (reference, *_), _ = self._ray.wait(list(self._running), num_returns=1)
            finished = self._collect(reference)
            if finished is not None:
                return finished

    def close(self) -> None:
        """Stop tasks that run, and the Ray that was started; see ``Executor``."""
        self._queue.clear()
        running, self._running = self._running, {}
        if self._ray.is_initialized():
            for reference in running:
                self._ray.cancel(reference, force=True)
            if self._owner:
                self._ray.shutdown()

    def _dispatch(self) -> None:
        """Hand tasks to Ray, no more than may be on their way; the others cost it nothing."""
        room = self._jobs or self._room()
        while self._queue and len(self._running) < room:
            task = self._queue.popleft()
            task.attempts += 1
            self._running[self._remote.remote(task.message())] = task

    def _room(self) -> int:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_S
            cluster = self._ray.cluster_resources().get("CPU", 0)
            self._capacity = max(1, int(_AHEAD * cluster) // self._cores)
        return self._capacity

    def _collect(self, reference: Any) -> Finished | None:
        """The outcome of a task that Ray is done with; None if it is queued again."""
        task = self._running.pop(reference)
        kinds = self._ray.exceptions
        try:
            result, error, trace = pickle.loads(self._ray.get(reference))
        except (
            kinds.WorkerCrashedError,
            kinds.NodeDiedError,
            kinds.LocalRayletDiedError,
            kinds.OutOfMemoryError,
            kinds.ObjectLostError,
        ) as lost:
            if task.attempts <= self._retries:
                self._queue.appendleft(task)
                return None
            failure = worker_lost(task.attempts, _first_line(lost))
            return Finished(task.number, None, failure, task.attempts)
        except kinds.RayError as failed:
            # Not from the function, whose errors are in the outcome: a node cannot load wyner, for example.
            failure = WynerError(f"Ray could not run the task: {_first_line(failed)}")
            return Finished(task.number, None, failure, task.attempts, str(failed))
        return Finished(task.number, result, error, task.attempts, trace)


def _import_ray() -> Any:
    # Ray would otherwise report the use of it to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise WynerError("the executor ray needs Ray: pip install 'wyner[ray]'") from None
    return ray


def _connect(ray: Any, address: str | None, jobs: int | None, cores: int) -> None:
    options: dict[str, Any] = {"address": address or "local", "log_to_driver": False}
    if address is None:
        options |= {"include_dashboard": False, "num_cpus": None if jobs is None else jobs * cores}
    try:
        if address is not None and address != "auto":
            _knock(address)
        ray.init(**options, logging_level=logging.ERROR)
    except UsageError:
        raise
    except Exception as error:  # Ray raises no less when a node takes too long to start
        where = "no Ray can be started" if address is None else f"there is no Ray cluster at {address}"
        raise WynerError(f"{where}: {_first_line(error)}") from None


def _knock(address: str) -> None:
    """Raise OSError where nothing listens: Ray itself would end the whole program."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        raise UsageError(f"the address of a Ray cluster is host:port or auto, not {address!r}")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
