import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wyner import io
from wyner.errors import WynerError
from wyner.image import Image

SMALL = settings(max_examples=60, deadline=None)


@st.composite
def images(draw, planes=(1, 2, 3, 4)):
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.sampled_from(planes)))
    return Image.from_array(draw(arrays.arrays(dtype, shape)))


@SMALL
@given(images())
def test_png_round_trip(image):
    assert io.read(io.encode_file(image, ".png")) == image


@SMALL
@given(images(planes=(1, 3)))
def test_pnm_round_trip(image):
    assert io.read(io.encode_file(image, ".ppm")) == image


@SMALL
@given(images(), st.data())
def test_damaged_png_gives_an_error_of_ours_or_the_same_samples(image, data):
    file = bytearray(io.encode_file(image, ".png"))
    file[data.draw(st.integers(0, len(file) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert io.read(bytes(file)) == image
    except WynerError:
        pass


@SMALL
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"P6 3 3 65535\n", b"\xff\xd8\xff", b"GIF89a"]),
)
def test_noise_gives_an_error_of_ours(noise, start):
    try:
        io.read(start + noise)
    except WynerError:
        pass
