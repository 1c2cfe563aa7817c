"""The overfitted codec with one set of networks for several pictures (docs/spec/shared.md).

    pictures --> joint fit --> networks, once --+--> each alone --> differences, where they pay, and latents
                                                |                                   |
                                                '-----------------------------------+--> picture

Frames, tiles, icons and scans are alike in what a decoder has to know of them; a set pays for it once. Any
picture is decoded from the networks of the set and its own payload alone, and one can be added without any
change to the others. This is the codec ``overfit`` but for who shares what.
"""

from __future__ import annotations

from collections.abc import Sequence

from ... import _native
from ..base import Pixels, Progress, ProgressCallback, Settings
from ..overfit.fit import fit_and_code
from ..overfit.goal import Goal
from ..overfit.model import payload_macs_per_pixel
from ..overfit.stream import Picture
from .own import with_own, with_own_networks
from .subjects import Member, PictureSet, read_networks

CODEC_ID = 6
VERSION = 1
NAME = "shared"
LEAST_ADDED_BYTES = 60
"""Of the payload of an added picture: smaller ones do not gain what networks of their own cost."""


def encode(
    pictures: Sequence[Pixels], settings: Settings, progress: ProgressCallback | None = None
) -> tuple[bytes, list[bytes]]:
    """Fit one set of networks, and latents for each picture; return the networks and a payload for each.

    pictures: at least one; each (H, W, C) uint8 or uint16 with C in {1, 3}, of its own size. The loss is the
    mean over all pixels, so that a quality means what it means for one picture. Targets in ``settings`` are
    for all pictures together. The same pictures, settings and instruction set give the same bytes for any
    number of threads. Raises FloatingPointError if the fit diverges, and whatever ``progress`` raises.
    """
    subject = PictureSet(tuple(map(Picture, pictures)))
    last: list[Progress] = []

    def joint(now: Progress) -> None:
        last[:] = [now]
        if progress is not None:
            progress(now)

    coded = fit_and_code(subject, settings, joint)
    payloads = list(coded.payloads[1:])
    if len(pictures) > 1:
        goal = Goal.of(settings, subject.area)
        payloads = with_own_networks(
            subject.pictures, coded, settings, goal, progress, last[0] if last else None
        )
    return coded.payloads[0], payloads


def encode_more(
    networks: bytes, area: int, pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None
) -> bytes:
    """The payload of one more picture of a set whose networks stay as they are. Otherwise as ``encode``.

    area: pixels of the pictures that the set has, with which a quality means what it meant for them. The
    picture gets networks of its own, which begin from those of the set, where that makes it better.
    Raises CorruptError or UnsupportedError if the networks cannot be read.
    """
    member = Member(Picture(pixels), networks)
    goal = Goal.of(settings, area if settings.quality is not None else member.area)
    coded = fit_and_code(member, settings, progress, goal)
    payload = coded.payloads[0]
    if len(payload) < LEAST_ADDED_BYTES:
        return payload
    return with_own(member.picture, networks, payload, coded.lam, settings, goal, progress)


def check(networks: bytes) -> None:
    """Raise CorruptError or UnsupportedError if networks cannot be read."""
    read_networks(networks)


def decode(
    networks: bytes, payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1
) -> Pixels:
    """Decode a picture to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    Raises CorruptError or UnsupportedError.
    """
    decoded: Pixels = _native.set_decode(networks, payload, width, height, channels, maxval, threads)
    return decoded


def macs_per_pixel(networks: bytes) -> float:
    """Multiply-accumulates per pixel of decoding any picture, from the first bytes of the networks."""
    return payload_macs_per_pixel(networks)
