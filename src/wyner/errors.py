"""Every error that wyner raises on purpose, each with the exit code of the command line."""

from __future__ import annotations


class WynerError(Exception):
    """Base of all errors of this package; raised itself for failures without a kind of their own."""

    exit_code = 1


class UsageError(WynerError, ValueError):
    """An argument is wrong: its type, shape, range, or its combination with another."""

    exit_code = 2


class CorruptError(WynerError):
    """The data is damaged or truncated, or is not what it claims to be."""

    exit_code = 3


class UnsupportedError(WynerError):
    """The data may be fine, but this version of wyner does not know its format, codec or a feature."""

    exit_code = 4


class LimitError(WynerError):
    """Decoding would take more pixels, bytes or arithmetic than the limits allow."""

    exit_code = 5


class TargetMissedError(WynerError):
    """The requested rate or quality was not reached.

    ``data`` holds the complete file nevertheless, as near to the target as the encoder came.
    """

    exit_code = 6

    def __init__(self, message: str, data: bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class SideImageError(WynerError):
    """The side image is missing, or is not the one that the file was made with."""

    exit_code = 7


class SideWarning(UserWarning):
    """A file of a distributed codec was decoded without a side image, or with another than was named."""


class SideUnusedWarning(SideWarning):
    """The side image shows something else than the file, which was decoded without it."""


class UnavailableError(WynerError):
    """An optional package, or the weights of a metric, are not at hand; the message says how to get them."""


class NoOverlapError(WynerError):
    """Two rate-distortion curves share too short an interval of quality for a BD-rate."""


def describe(error: BaseException) -> str:
    """One line for people about an error of any kind."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "out of memory"
    return " ".join(str(error).split()) or type(error).__name__
