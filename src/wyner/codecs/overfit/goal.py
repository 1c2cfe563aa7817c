"""What a fit aims at, and how the Lagrange multiplier is steered there while fitting."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..base import TARGET_TOLERANCE, Settings
from .schedule import lambda_of_quality

LAMBDA_RANGE = (2e-6, 0.5)
TINY_PIXELS = 4096  # below this a file is mostly overhead, and bits that make the picture better are cheap
# Typical slopes along the rate-distortion curve: d ln(rate) / d ln(lambda), and dB for a factor e in lambda.
RATE_SLOPE = -0.6
PSNR_SLOPE = -3.4


def psnr_db(mse: float) -> float:
    """PSNR in dB of a mean squared error of samples in [0, 1]; infinite for 0."""
    return math.inf if mse <= 0 else -10 * math.log10(mse)


@dataclass(frozen=True)
class Goal:
    """A fixed multiplier, a payload size in bits, or a PSNR in dB: exactly one is not None.

    slack: bits more, or dB less, with which the caller still takes the goal as met.
    """

    lam: float | None = None
    bits: float | None = None
    psnr: float | None = None
    slack: float = math.inf

    @staticmethod
    def of(settings: Settings, pixels: int) -> Goal:
        """The goal of an encoder's settings for a picture of so many pixels."""
        if settings.quality is not None:
            return Goal(lam=lambda_of_quality(settings.quality) * min(1.0, pixels / TINY_PIXELS))
        if settings.target_psnr is not None:
            return Goal(psnr=settings.target_psnr, slack=TARGET_TOLERANCE * settings.target_psnr)
        file_bits = (
            settings.target_bpp * pixels if settings.target_bpp else 8.0 * (settings.target_bytes or 0)
        )
        # A payload of a few bytes is the least there is; the caller checks what was reached.
        bits = max(file_bits - 8 * settings.overhead_bytes, 64.0)
        return Goal(bits=bits, slack=TARGET_TOLERANCE * file_bits)

    def first_lambda(self, pixels: int) -> float:
        """A multiplier to begin with, for a picture of middling detail."""
        if self.lam is not None:
            return self.lam
        if self.bits is not None:
            return clamp(1e-3 * (0.6 * pixels / self.bits) ** 1.5)
        assert self.psnr is not None
        return clamp(1e-3 * math.exp((self.psnr - 33.3) / PSNR_SLOPE))

    def log_error(self, bits: float, mse: float) -> float:
        """How far ln(lambda) is from meeting the goal, by the typical slopes; 0 for a fixed multiplier."""
        if self.bits is not None:
            return math.log(max(bits, 1.0) / self.bits) / -RATE_SLOPE
        if self.psnr is not None:
            return (psnr_db(max(mse, 1e-12)) - self.psnr) / -PSNR_SLOPE
        return 0.0

    def met(self, bits: float, mse: float, tolerance: float) -> bool:
        """Whether size or PSNR is within the relative tolerance (for PSNR: of the mean squared error)."""
        if self.bits is not None:
            return abs(bits / self.bits - 1) <= tolerance
        if self.psnr is not None:
            return abs(10 ** ((self.psnr - psnr_db(mse)) / 10) - 1) <= tolerance
        return True

    def failed(self, bits: float, mse: float) -> bool:
        """Whether the caller will take the goal as missed."""
        if self.bits is not None:
            return bits > self.bits + self.slack
        return self.psnr is not None and psnr_db(mse) < self.psnr - self.slack


def expected_rate(settings: Settings, pixels: int) -> float:
    """Bits per pixel of a picture of middling detail, by the multiplier that a fit begins with."""
    lam = Goal.of(settings, pixels).first_lambda(pixels)
    return 0.6 * (1e-3 / lam) ** (1 / 1.5)


def clamp(lam: float) -> float:
    """A multiplier within the range that fits can use."""
    return min(max(lam, LAMBDA_RANGE[0]), LAMBDA_RANGE[1])


def steered(lam: float, log_error: float, gain: float, most: float = 0.3) -> float:
    """One step of the controller; ``most`` is the largest change of ln(lambda)."""
    return clamp(lam * math.exp(max(-most, min(most, gain * log_error))))
