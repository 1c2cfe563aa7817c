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
from .subjects import OwnMember, Pace

LEAST_BYTES = 500
"""Of a payload: smaller ones do not gain what networks of their own cost."""


PACES = {0: Pace(0.5, 0.3, 0.3), 2000: Pace(1.0, 0.0, 0.3), 4000: Pace(1.0, 0.0, 1.0)}
"""By the least bytes of a payload (decision 17): the more there are, the more a picture differs."""
KEPT = 1.005
"""How much larger, or farther from the original, a payload may become where that is what is aimed at."""


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
            self.check()
            self._done[k] = of_one.step / of_one.steps
            if self._progress is None or self._before is None:
                return
            part = sum(self._done) / len(self._done)
            left = (time.monotonic() - self._start) * (1 / max(part, 1e-3) - 1)
            steps = of_one.steps * len(self._done)
            now = replace(self._before, step=round(part * steps), steps=steps, eta_s=left, phase="each alone")
            try:
                self._progress(now)
            except BaseException:
                self.stop.set()
                raise

    def check(self) -> None:
        """Raise _Stopped if there is no use in going on."""
        if self.stop.is_set():
            raise _Stopped


def with_own_networks(
    pictures: Sequence[Picture],
    joint: Coded,
    settings: Settings,
    goal: Goal,
    progress: ProgressCallback | None,
    before: Progress | None,
) -> list[bytes]:
    """The payloads of the pictures, with networks of their own where that makes them better.

    goal: of the joint fit; where that is a size or a PSNR, each picture keeps about that which the joint fit
    gave it. before: where the joint fit ended. ``progress`` may be called from other threads, one at a time.
    """
    networks, shared = joint.payloads[0], joint.payloads[1:]
    chosen = [k for k, payload in enumerate(shared) if len(payload) >= LEAST_BYTES]
    teller = _Teller(progress, len(chosen), before)

    most = max((pictures[k].area for k in chosen), default=1)
    within = min(settings.threads, 1 + most // THREAD_PIXELS)
    alone = replace(settings, threads=within)

    def better(place: int) -> bytes:
        try:
            teller.check()
            k, tell = chosen[place], partial(teller.tell, place)
            return with_own(pictures[k], networks, shared[k], joint.lam, alone, goal, tell)
        except BaseException:
            teller.stop.set()
            raise

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


def with_own(
    picture: Picture,
    networks: bytes,
    shared: bytes,
    lam: float,
    settings: Settings,
    goal: Goal,
    progress: ProgressCallback | None,
) -> bytes:
    """The better of the payload ``shared`` and one with networks of its own.

    goal: where it is a size or a PSNR, that of ``shared`` is kept. lam: the multiplier otherwise. Raises
    whatever ``progress`` raises.
    """
    found = _native.set_inspect(networks, shared, picture.width, picture.height)
    pace = PACES[max(least for least in PACES if len(shared) >= least)]
    member = OwnMember(picture, networks, found["latents"], pace=pace)
    bits, mse = 8.0 * len(shared), member.mse(shared, settings.threads)
    if goal.bits is not None:
        goal = Goal(bits=bits)
    elif goal.psnr is not None:
        goal = Goal(psnr=psnr_db(mse))
    try:
        own = fit_on(member, settings, goal, lam, progress)
    except FloatingPointError:  # it diverged: there is a payload that has not
        return shared
    kept = own.bits <= KEPT * bits if goal.bits is not None else True
    kept = kept and (own.mse <= KEPT * mse if goal.psnr is not None else True)
    gain = mse - own.mse + lam * (bits - own.bits) / picture.area
    return own.payloads[0] if kept and gain > 0 else shared
