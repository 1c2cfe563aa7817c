"""Stereo pairs for training: layouts of data sets as downloaded, splits by scene, crops on the device.

x is the picture that is coded, y the one that only the decoder holds. Layouts (root is the unpacked archive):

=============  ==============================================================================================
kitti2012      ``training|testing/colored_0/NNNNNN_1F.png`` (x, left), ``colored_1`` (y); data_stereo_flow.zip
               and its multi-view extension
kitti2015      ``training|testing/image_2/NNNNNN_1F.png`` (x), ``image_3`` (y); data_scene_flow.zip
cityscapes     ``leftImg8bit/PART/CITY/CITY_S_F_leftImg8bit.png`` (x), ``rightImg8bit`` likewise (y)
flat           ``NAME_left.EXT`` (x) and ``NAME_right.EXT`` (y) in one folder
list           a CSV with the columns image (x) and side (y), see ``wyner.batch.pairs``
=============  ==============================================================================================

A scene is what no two parts of a split may share: the number in KITTI (its frames are instants apart), the
city in Cityscapes, the name elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..batch.pairs import read_pairs
from ..errors import UsageError
from ..nn.distributed import GREY
from .loop import Draw
from .pictures import decoded

_KITTI = {"kitti2012": ("colored_0", "colored_1"), "kitti2015": ("image_2", "image_3")}
LAYOUTS = (*_KITTI, "cityscapes", "flat", "list")


@dataclass(frozen=True)
class StereoPair:
    """Paths of the coded picture x and of the decoder's picture y, and the scene that both show."""

    x: Path
    y: Path
    scene: str


def find_pairs(layout: str, root: Path, part: str = "training") -> list[StereoPair]:
    """All pairs of a data set, sorted by path.

    layout: of ``LAYOUTS``. root: its folder, or the CSV of a list. part: "training" or "testing" of KITTI,
    "train", "val" or "test" of Cityscapes; other layouts have no parts. Pictures without a partner are left
    out. Raises UsageError for an unknown layout and when there are no pairs.
    """
    if layout in _KITTI:
        left, right = _KITTI[layout]
        folder = root / part
        found = [
            StereoPair(x, folder / right / x.name, x.name.split("_")[0])
            for x in folder.glob(f"{left}/*_1[01].png")
        ]
    elif layout == "cityscapes":
        found = [
            StereoPair(x, Path(re.sub("leftImg8bit", "rightImg8bit", str(x))), x.parent.name)
            for x in root.glob(f"leftImg8bit/{part}/*/*_leftImg8bit.png")
        ]
    elif layout == "flat":
        found = [
            StereoPair(x, x.with_name(x.name.replace("_left.", "_right.")), x.name.rsplit("_left.", 1)[0])
            for x in root.glob("*_left.*")
        ]
    elif layout == "list":
        rows, problems = read_pairs(root)
        if problems:
            raise problems[0]
        found = [StereoPair(Path(row.image.path), Path(row.side), row.image.path) for row in rows]
    else:
        raise UsageError(f"no layout is called {layout!r}; there are: {', '.join(LAYOUTS)}")
    found = sorted((pair for pair in found if pair.y.is_file()), key=lambda pair: pair.x)
    if not found:
        raise UsageError(f"{root}: no pairs of the layout {layout}")
    return found


def split(pairs: Sequence[StereoPair], held_out: int) -> tuple[list[StereoPair], list[StereoPair]]:
    """Training and held-out pairs: those of the last ``held_out`` scenes, in sorted order, are held out.

    held_out: at least 0; all are held out where there are fewer scenes.
    """
    scenes = sorted({pair.scene for pair in pairs})
    kept_back = set(scenes[max(len(scenes) - held_out, 0) :])
    return (
        [pair for pair in pairs if pair.scene not in kept_back],
        [pair for pair in pairs if pair.scene in kept_back],
    )


@dataclass(frozen=True)
class Source:
    """Pairs to train on, as a configuration names them.

    layout, path, part: see ``find_pairs``; the path is relative to a root. held_out: that many last scenes
    are not used. centre: rows and columns of a centre crop to begin with. heights: rows of the versions of
    each pair, resized in proportion; none keeps the size. repeat: how often each pair counts.

    Raises UsageError for numbers out of range.
    """

    layout: str
    path: str
    part: str = "training"
    held_out: int = 0
    centre: tuple[int, ...] = ()
    heights: tuple[int, ...] = ()
    repeat: int = 1

    def __post_init__(self) -> None:
        if len(self.centre) not in (0, 2):
            raise UsageError(f"{self.path}: centre is rows and columns, not {list(self.centre)}")
        if any(number < 1 for number in (*self.centre, *self.heights, self.repeat)):
            raise UsageError(f"{self.path}: centre, heights and repeat must be at least 1")
        if self.held_out < 0:
            raise UsageError(f"{self.path}: held_out is {self.held_out}, it must be at least 0")


def load_source(source: Source, root: Path) -> list[list[Tensor]]:
    """The versions of each pair of a source, see ``load``. Raises as ``find_pairs`` and ``load``."""
    kept, _ = split(find_pairs(source.layout, root / source.path, source.part), source.held_out)

    def versions(pair: StereoPair) -> list[Tensor]:
        return [load(pair, height, source.centre) for height in source.heights or (None,)]

    with ThreadPoolExecutor() as pool:  # Pillow lets others run while it decodes
        return source.repeat * list(pool.map(versions, kept))


def load(pair: StereoPair, height: int | None = None, centre: tuple[int, ...] = ()) -> Tensor:
    """x and y as one uint8 tensor (6, H, W), R G B of x first.

    centre: rows and columns of a centre crop, or nothing. height: rows that the result is resized to with
    Pillow's bilinear filter, the columns in proportion; None keeps the size. With (370, 740) and 128, pairs
    of KITTI are those of Mital et al., DCC 2022. Raises OSError, and UsageError for a damaged picture and
    when x and y differ in size.
    """
    planes = [_planes(path, height, centre) for path in (pair.x, pair.y)]
    if planes[0].shape != planes[1].shape:
        raise UsageError(f"{pair.x} and {pair.y} are of different sizes")
    return torch.from_numpy(np.concatenate(planes))


def _planes(path: Path, height: int | None, centre: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    try:
        picture = decoded(str(path), path.read_bytes()).convert("RGB")
    except UnidentifiedImageError:
        raise UsageError(f"{path} is not a picture") from None
    if centre:
        rows, columns = centre
        left, top = (picture.width - columns) // 2, (picture.height - rows) // 2
        picture = picture.crop((left, top, left + columns, top + rows))
    if height is not None:
        width = round(picture.width * height / picture.height)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture).transpose(2, 0, 1)


class PairCrops:
    """Random crops of pairs that lie on the device as uint8; those of a step are the same on any machine.

    Each draw takes a pair, one of its versions (scales), and a crop at the same place of x and y. Half of the
    draws are mirrored: then x and y change places as well, so that the disparity keeps its sign.
    """

    def __init__(
        self,
        pairs: Sequence[Sequence[Tensor]],
        size: tuple[int, int],
        device: torch.device | str,
        *,
        wrong: float = 0.0,
        without: float = 0.0,
        jitter: float = 0.0,
    ) -> None:
        """pairs: of each pair the versions, uint8 (6, H, W) of at least ``size`` (rows, columns).

        wrong, without: parts of the samples, in 0..1, whose y is that of another sample, or grey. jitter:
        binary logarithm of the greatest change of brightness, the same of x and y; each colour gets up to a
        quarter of it more. Raises UsageError without pairs and for pictures smaller than the crop.
        """
        if not pairs:
            raise UsageError("there are no pairs to train on; those of held-out scenes are not")
        if any(v.shape[1] < size[0] or v.shape[2] < size[1] for versions in pairs for v in versions):
            raise UsageError(f"a picture is smaller than the crop of {size[0]}x{size[1]}")
        distinct = {id(version): version for versions in pairs for version in versions}  # some count often
        ends = np.cumsum([version.numel() for version in distinct.values()]).tolist()
        starts = dict(zip(distinct, [0, *ends], strict=False))
        self.shapes = [[(starts[id(v)], *v.shape[1:]) for v in versions] for versions in pairs]
        self.samples = torch.empty(ends[-1], dtype=torch.uint8, device=device)
        for start, version in zip(starts.values(), distinct.values(), strict=True):
            self.samples[start : start + version.numel()] = version.flatten().to(device)
        self.size, self.wrong, self.without, self.jitter = size, wrong, without, jitter
        self.rows, self.columns = (torch.arange(side, device=device) for side in size)

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """x and y of this rank, float32 (rows, 3, rows of a crop, columns) in 0..1."""
        places = np.array([self._place(draw.rng) for _ in range(draw.batch)])
        fates, tints = draw.rng.random(draw.batch), 2 * draw.rng.random((draw.batch, 4)) - 1
        mine = np.arange(*draw.rows.indices(draw.batch))
        # A wrong y is that of the next sample, which another rank may have.
        others = (mine + (fates[mine] < self.wrong)) % draw.batch
        gains = np.exp2(self.jitter * (tints[mine, :1] + tints[mine, 1:] / 4)).astype(np.float32)
        absent = fates[mine] >= 1 - self.without
        device = self.samples.device
        factor = torch.from_numpy(gains).to(device)[:, :, None, None] / 255
        x, y = (
            (factor * self._cut(torch.from_numpy(places[which]).to(device), eye)).clamp(max=1)
            for eye, which in enumerate((mine, others))
        )
        return x, torch.where(torch.from_numpy(absent).to(device)[:, None, None, None], GREY, y)

    def _place(self, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Where a crop begins in ``samples``, the size of a plane there and of a row, and 1 if mirrored."""
        versions = self.shapes[int(rng.integers(len(self.shapes)))]
        start, height, width = versions[int(rng.integers(len(versions)))]
        rows, columns = self.size
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        return start + top * width + left, height * width, width, int(rng.integers(2))

    def _cut(self, places: Tensor, eye: int) -> Tensor:
        """The crops (B, 3, rows, columns) at places (B, 4), of the pictures that come to be x (0) or y."""
        start, plane, width, mirrored = places[:, :, None, None, None].unbind(1)
        colours = torch.arange(3, device=places.device)[:, None, None] + 3 * (mirrored ^ eye)
        columns = torch.where(mirrored > 0, self.size[1] - 1 - self.columns, self.columns)
        return self.samples[start + colours * plane + self.rows[:, None] * width + columns]


def synthetic_pair(
    picture: npt.NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    shift: int = 0,
    occlusion: float = 0.0,
    noise: float = 0.0,
) -> npt.NDArray[np.uint8]:
    """A pair of known correlation from one picture (H, W, 3): (6, H, W - shift), x first.

    y is x displaced to the left by ``shift`` >= 0 columns, as the right picture of a stereo pair shows it,
    with ``occlusion``, in 0..1, of its area hidden by patches from elsewhere in the picture, and Gaussian
    noise of standard deviation ``noise`` in 8-bit steps.
    """
    columns = picture.shape[1] - shift
    x, y = picture[:, :columns], picture[:, shift:].astype(np.float64)
    side = max(1, min(picture.shape[0], columns) // 8)
    for _ in range(round(occlusion * picture.shape[0] * columns / side**2)):
        (to_row, from_row), (to, source) = (
            rng.integers(0, limit - side + 1, 2) for limit in (picture.shape[0], columns)
        )
        y[to_row : to_row + side, to : to + side] = x[from_row : from_row + side, source : source + side]
    y = np.clip(np.rint(y + rng.normal(0, noise, y.shape)), 0, 255).astype(np.uint8)
    return np.concatenate([x.transpose(2, 0, 1), y.transpose(2, 0, 1)])
