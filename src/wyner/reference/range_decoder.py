"""The range decoder (docs/spec/overfit.md, section 2)."""

from collections.abc import Callable

from wyner.errors import CorruptError

PAST_END_LIMIT = 16


class RangeDecoder:
    """Reads intervals and plain bits from a byte string.

    The decoder knows a number `code` that lies somewhere in 0..range-1. To read a symbol, the range is cut
    into pieces in proportion to the symbols' probabilities; the piece that holds the code names the symbol,
    and becomes the new range.
    """

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._position = 0
        self._range = (1 << 64) - 1
        self._code = (self._word() << 32) | self._word()

    def interval(self, lower_edge: Callable[[int], int], count: int, bits: int = 16) -> int:
        """Read one of `count` symbols; symbol i has the interval [lower_edge(i), lower_edge(i + 1)).

        `lower_edge` increases strictly from lower_edge(0) = 0 to lower_edge(count) = 2^bits, bits <= 24.
        """
        unit = self._range >> bits
        target = self._code // unit  # r*lo <= code < r*hi  is the same as  lo <= target < hi
        if target >> bits:
            raise CorruptError("range decoder: code outside the range")
        first, last = 0, count - 1
        while first < last:
            middle = (first + last + 1) // 2
            if lower_edge(middle) <= target:
                first = middle
            else:
                last = middle - 1
        lo, hi = lower_edge(first), lower_edge(first + 1)
        self._code -= unit * lo
        self._range = unit * (hi - lo)
        self._renormalise()
        return first

    def bits(self, n: int) -> int:
        """Read n equiprobable bits, 1 <= n <= 16."""
        unit = self._range >> n
        value = self._code // unit
        if value >> n:
            raise CorruptError("range decoder: code outside the range")
        self._code -= unit * value
        self._range = unit
        self._renormalise()
        return value

    def _renormalise(self) -> None:
        while self._range < 1 << 32:
            self._range <<= 32
            self._code = (self._code << 32) | self._word()

    def _word(self) -> int:
        """The next 4 bytes, big endian; zeros follow the end, at most 16 of them."""
        end = self._position + 4
        if end > len(self._payload) + PAST_END_LIMIT:
            raise CorruptError("the coded data ends too early")
        word = self._payload[self._position : end].ljust(4, b"\0")
        self._position = end
        return int.from_bytes(word, "big")
