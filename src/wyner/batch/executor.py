"""What runs tasks: the protocol of all executors, and the one that runs them in this process."""

from __future__ import annotations

import pickle
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..errors import UsageError, WynerError

Function = Callable[[Any], Any]
"""A function of a module's top level, of one payload. Both it and its result are pickled."""

P = TypeVar("P")

RETRIES = 2
"""How often a task is tried again by default after its worker or node died."""


@dataclass(frozen=True)
class Finished:
    """A task that came to its end.

    task: its number from ``submit``. result: what the function returned, None if it failed. error: None, or
    what the function raised, or a WynerError when the task's workers died once more than they may. attempts:
    how often it was started, >= 1. trace: the traceback that belongs to ``error``, for developers, or "".
    """

    task: int
    result: Any = None
    error: Exception | None = None
    attempts: int = 1
    trace: str = ""


@dataclass
class Task:
    """A task for another process, where it is sent when its turn comes: payloads may share what is large."""

    number: int
    function: Function
    payload: Any
    attempts: int = 0

    def message(self) -> bytes:
        """What is sent. Raises an error of pickle."""
        return pickle.dumps((self.function, self.payload))


class Executor(Protocol):
    """Runs tasks. To be used from one thread; ``contextlib.closing`` closes it."""

    def submit(self, function: Function, payload: Any) -> int:
        """Take a task and return its number, counted from 0. It starts when there is room for it.

        Raises an error of pickle when function or payload cannot be sent to another process.
        """
        ...

    def wait(self) -> Finished:
        """Wait for the next task that finishes, in whatever order they do, and return it, each once.

        An error in a task is in ``Finished.error`` and not raised. Raises UsageError when no task is left.
        """
        ...

    def close(self) -> None:
        """Stop everything, running tasks included, and leave no process behind. May be called twice."""
        ...


class InlineExecutor:
    """Runs each task in this process, during the call of ``wait`` that returns it."""

    def __init__(self) -> None:
        self._queue: deque[tuple[int, Function, Any]] = deque()
        self._count = 0

    def submit(self, function: Function, payload: Any) -> int:
        """Take a task; see ``Executor``. Nothing is pickled."""
        self._queue.append((self._count, function, payload))
        self._count += 1
        return self._count - 1

    def wait(self) -> Finished:
        """Run the oldest task that was not run yet; see ``Executor``."""
        if not self._queue:
            raise no_task_left()
        task, function, payload = self._queue.popleft()
        result, error, trace = attempt(function, payload)
        return Finished(task, result, error, 1, trace)

    def close(self) -> None:
        """Forget what was not run."""
        self._queue.clear()


def make_executor(
    kind: str = "local", jobs: int | None = None, *, address: str | None = None, cores: int = 1
) -> Executor:
    """The executor called "local" or "ray".

    jobs: tasks at the same time, >= 1; None means one for "local" and all cores of the cluster for "ray". One
    local job runs in this process. address: of a Ray cluster, "host:port" or "auto"; without it a Ray on this
    machine is started. cores: that one task uses, by which Ray places tasks.

    Raises UsageError for bad arguments and WynerError when Ray is not installed or cannot be reached.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs is {jobs}, it must be at least 1")
    if kind == "ray":
        from .ray import RayExecutor

        return RayExecutor(address, jobs=jobs, cores=cores)
    if kind != "local":
        raise UsageError(f"no executor is called {kind!r}; there are: local, ray")
    if address is not None:
        raise UsageError("an address belongs to the executor ray")
    if jobs is None or jobs == 1:
        return InlineExecutor()
    from .local import LocalExecutor

    return LocalExecutor(jobs)


def run(executor: Executor, function: Function, payloads: Iterable[P]) -> Iterator[tuple[P, Finished]]:
    """Run ``function`` on every payload; yield each payload and its outcome as they finish."""
    waiting = {executor.submit(function, payload): payload for payload in payloads}
    while waiting:
        done = executor.wait()
        yield waiting.pop(done.task), done


def attempt(function: Function, payload: Any) -> tuple[Any, Exception | None, str]:
    """Call the function; return its result, error and traceback. Interrupts and exits pass through."""
    try:
        return function(payload), None, ""
    except Exception as error:
        return None, error, traceback.format_exc()


def attempt_pickled(message: bytes) -> bytes:
    """What a worker does: ``attempt`` with a pickled (function, payload), its outcome pickled again.

    What cannot be pickled becomes a WynerError that says so.
    """
    try:
        function, payload = pickle.loads(message)
    except Exception as error:
        reason = WynerError(f"the worker cannot load the task: {type(error).__name__}: {error}")
        return pickle.dumps((None, reason, traceback.format_exc()))
    outcome = attempt(function, payload)
    try:
        pickled = pickle.dumps(outcome)
        # Some exceptions go into a pickle and never come out again.
        pickle.loads(pickled)
        return pickled
    except Exception as failure:
        _, raised, trace = outcome
        what = f"the result of the task cannot be sent: {failure}" if raised is None else repr(raised)
        return pickle.dumps((None, WynerError(what), trace or traceback.format_exc()))


def no_task_left() -> UsageError:
    """The error of ``wait`` where nothing is waited for."""
    return UsageError("wait was called, but every submitted task has been returned")


def worker_lost(attempts: int, reason: str) -> WynerError:
    """The error of a task whose workers died too often. reason: how the last one ended."""
    times = "once" if attempts == 1 else f"{attempts} times"
    return WynerError(f"the worker died {times} during this task ({reason})")
