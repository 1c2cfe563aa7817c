"""Networks of their own for those pictures of a set that they pay for.

The joint fit finds what the pictures have in common. Then each picture is fitted on alone, and charged for
what its networks differ in. Decision 17 has what that gains.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial

from ... import _native
from ..base import Progress, ProgressCallback, Settings
from ..overfit.fit import THREAD_PIXELS, fit_on
from ..overfit.goal import Goal, psnr_db
from ..overfit.stream import Coded, Picture
from .subjects import OwnMember

LEAST_BYTES = 500
"""Of a payload: smaller ones do not gain what networks of their own cost."""
SHARE, BEGIN = 0.5, 0.3
"""Steps of this phase, for each of the joint fit, and where in the course of annealing it begins."""


class _Stopped(Exception):
    """Another picture's fit has ended in an exception."""


class _Teller:
    """Tells one caller of several fits that run at the same time."""

    def __init__(self, progress: ProgressCallback | None, count: int, before: Progress | None) -> None:
        self.stop = threading.Event()
        self._progress, self._before = progress, before
        self._done = [0.0] * count
        self._lock = threading.Lock()
        self._start = time.monotonic()

    def tell(self, k: int, of_one: Progress) -> None:
        """Picture k is where ``of_one`` says. Raises what the caller raises, once, then _Stopped."""
        with self._lock:
            if self.stop.is_set():
                raise _Stopped
            self._done[k] = of_one.step / of_one.steps
            if self._progress is None or self._before is None:
                return
            part = sum(self._done) / len(self._done)
            left = (time.monotonic() - self._start) * (1 / max(part, 1e-3) - 1)
            steps = of_one.steps * len(self._done)
            self._progress(
                replace(self._before, step=round(part * steps), steps=steps, eta_s=left, phase="each alone")
            )


def with_own_networks(
    pictures: Sequence[Picture],
    joint: Coded,
    settings: Settings,
    goal: Goal,
    progress: ProgressCallback | None,
    before: Progress | None,
) -> list[bytes]:
    """The payloads of the pictures, with networks of their own where that makes them better.

    goal: of the joint fit; where that is a size or a PSNR, each picture keeps that which the joint fit gave
    it. before: where the joint fit ended.
    """
    networks, shared = joint.payloads[0], joint.payloads[1:]
    chosen = [k for k, payload in enumerate(shared) if len(payload) >= LEAST_BYTES]
    teller = _Teller(progress, len(chosen), before)

    def better(place: int) -> bytes:
        try:
            k = chosen[place]
            return _better(
                pictures[k], networks, shared[k], joint.lam, settings, goal, partial(teller.tell, place)
            )
        except BaseException:
            teller.stop.set()
            raise

    most = max((pictures[k].area for k in chosen), default=1)
    within = min(settings.threads, 1 + most // THREAD_PIXELS)
    with ThreadPoolExecutor(max(1, settings.threads // within)) as pool:
        futures = [pool.submit(better, place) for place in range(len(chosen))]
        try:
            found = dict(zip(chosen, [future.result() for future in futures], strict=True))
        except BaseException as error:
            teller.stop.set()
            wait(futures)
            errors = [e for future in futures if (e := future.exception()) and not isinstance(e, _Stopped)]
            raise (errors or [error])[0] from None
    return [found.get(k, payload) for k, payload in enumerate(shared)]


def _better(
    picture: Picture,
    networks: bytes,
    shared: bytes,
    lam: float,
    settings: Settings,
    goal: Goal,
    progress: ProgressCallback,
) -> bytes:
    """The better of the payload that there is and one with networks of its own."""
    found = _native.set_inspect(networks, shared, picture.width, picture.height)
    member = OwnMember(picture, networks, found["latents"], share=SHARE, begin=BEGIN)
    mse = member.mse(shared, settings.threads)
    if goal.bits is not None:
        goal = Goal(bits=8.0 * len(shared))
    elif goal.psnr is not None:
        goal = Goal(psnr=psnr_db(mse))
    own = fit_on(member, settings, goal, lam, progress)

    def loss(bits: float, mse: float) -> float:
        return mse + lam * bits / picture.area

    return own.payloads[0] if loss(own.bits, own.mse) < loss(8.0 * len(shared), mse) else shared
