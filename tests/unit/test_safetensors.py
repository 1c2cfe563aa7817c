"""Files of tensors against the words of their specification."""

import json

import numpy as np
import pytest

from wyner.errors import CorruptError, UsageError
from wyner.nn import safetensors


def by_hand(header, body):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


A = {"dtype": "I16", "shape": [2, 2], "data_offsets": [0, 8]}
B = {"dtype": "F32", "shape": [], "data_offsets": [8, 12]}
BODY = np.array([1, -2, 3, 4], "<i2").tobytes() + np.array(0.5, "<f4").tobytes()


def test_a_file_made_by_hand_is_read():
    tensors, metadata = safetensors.read(by_hand({"b": B, "a": A, "__metadata__": {"k": "v"}}, BODY))
    assert metadata == {"k": "v"} and list(tensors) == ["b", "a"]
    assert tensors["a"].tolist() == [[1, -2], [3, 4]] and tensors["b"] == np.float32(0.5)


def test_a_written_file_is_as_the_specification_says():
    data = safetensors.write({"a": np.array([[1, -2], [3, 4]], ">i2"), "b": np.float32(0.5)[()]}, {"k": "v"})
    size = int.from_bytes(data[:8], "little")
    assert size % 8 == 0 and data[8:9] == b"{"
    assert json.loads(data[8 : 8 + size]) == {"__metadata__": {"k": "v"}, "a": A, "b": B}
    assert data[8 + size :] == BODY


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1"])
def test_every_dtype_comes_back(dtype):
    array = np.arange(6).astype(dtype).reshape(3, 2)
    tensors, _ = safetensors.read(safetensors.write({"x": array, "empty": array[:0]}, {}))
    assert tensors["x"].dtype == array.dtype and np.array_equal(tensors["x"], array)
    assert tensors["empty"].shape == (0, 2)


def test_other_dtypes_cannot_be_written():
    with pytest.raises(UsageError):
        safetensors.write({"x": np.zeros(2, np.complex64)}, {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 20,
        by_hand({"a": A, "b": B}, BODY)[:-1],
        by_hand({"a": A, "b": B}, BODY) + b"x",
        by_hand({"a": A}, BODY),
        by_hand({"a": A, "b": {**B, "data_offsets": [4, 8]}}, BODY),
        by_hand({"a": {**A, "dtype": "Q7"}, "b": B}, BODY),
        by_hand({"a": {**A, "shape": [-2, -2]}, "b": B}, BODY),
        by_hand({"a": {**A, "shape": [2, 3]}, "b": B}, BODY),
        by_hand({"a": A, "b": B, "__metadata__": {"k": 1}}, BODY),
        by_hand(["a"], BODY),
        by_hand({"a": 3}, BODY),
        by_hand({"a": {**A, "shape": [2**70, 0], "data_offsets": [0, 0]}}, b""),
        (10**5).to_bytes(8, "little") + b"[" * 10**5,
    ],
)
def test_damaged_files_are_errors(data):
    with pytest.raises(CorruptError):
        safetensors.read(data)
