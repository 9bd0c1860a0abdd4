"""Pictures: decoded, resized, cropped, and changed at random for training (contract G1, G2).

A picture is an array of bytes with the axes height, width and channel; colours are red, green and
blue. OpenCV does the work, and lets other threads of Python run while it does. What is random is
given by the caller as numbers from 0 to 1, so that threads can't change an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# Threads decode whole pictures; OpenCV's own would only fight them, and the training, for cores.
cv2.setNumThreads(1)

# How many random numbers one picture needs.
CHANCES = 9
AUGMENTATIONS = ("crop", "crop_color", "crop_color_transform")
# The widest shifts, in OpenCV's units: hue goes from 0 to 179, lightness and saturation to 255.
HUE, LIGHTNESS, SATURATION = 36, 50, 50
ROTATION_DEGREES, SHEAR, ASPECT_RATIO = 10.0, 0.1, 0.25
_JPEG_QUALITY = 95


class NotAPicture(ValueError):
    """The bytes are no picture that can be decoded."""


class TooSmall(ValueError):
    """The picture is smaller than what is to be cut out of it."""


def decode(data: bytes) -> np.ndarray:
    """Return a picture from the bytes of a JPEG or PNG file: RGB, 8 bits, without transparency.

    Raises:
        NotAPicture: the bytes are something else.
    """
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise NotAPicture("not a picture that can be decoded: it must be a JPEG or PNG file")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)


def stretched(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the whole picture in another size; its aspect ratio may change."""
    if picture.shape[:2] == (height, width):
        return picture
    smaller = height * width < picture.shape[0] * picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method)


def resized(picture: np.ndarray, shortest: int) -> np.ndarray:
    """Return the picture with its shortest side `shortest` pixels long."""
    height, width = picture.shape[:2]
    scale = shortest / min(height, width)
    return stretched(picture, max(round(height * scale), 1), max(round(width * scale), 1))


def shrunk(data: bytes, shortest: int) -> bytes:
    """Return an encoded picture whose shortest side is no longer than `shortest` pixels.

    What is small enough stays as it is, as does what can't be decoded; the rest becomes JPEG.
    """
    try:
        picture = decode(data)
    except NotAPicture:
        return data
    if min(picture.shape[:2]) <= shortest:
        return data
    smaller = cv2.cvtColor(resized(picture, shortest), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", smaller, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
    return encoded.tobytes()


@dataclass(frozen=True)
class Preparation:
    """What is done to each picture before a network sees it.

    Attributes:
        image_shape: channels (1 is grey, 3 is RGB), height and width of what the network takes.
        resize: the shortest side's length before anything is cut out, in pixels; None keeps it.
        augmentation: one of `AUGMENTATIONS`, or None.
    """

    image_shape: tuple[int, int, int]
    resize: int | None = None
    augmentation: str | None = None

    def of(self, data: bytes, chances: Sequence[float] | None = None) -> np.ndarray:
        """Return the prepared picture, shape (height, width, channels).

        Args:
            data: an encoded picture.
            chances: `CHANCES` random numbers from 0 to 1; None for the centre, unchanged.

        Raises:
            NotAPicture: it can't be decoded.
            TooSmall: it is smaller than `image_shape` on a side.
        """
        channels, height, width = self.image_shape
        picture = decode(data)
        if self.resize is not None:
            picture = resized(picture, self.resize)
        self._check_size(picture)
        if self.augmentation is None or chances is None:
            picture = _cut(picture, height, width, 0.5, 0.5)
        else:
            picture = self._augmented(picture, chances)
        if channels == 1:
            picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, np.newaxis]
        return picture

    def _check_size(self, picture: np.ndarray) -> None:
        channels, height, width = self.image_shape
        found_height, found_width = picture.shape[:2]
        if found_height < height or found_width < width:
            after = "" if self.resize is None else f" after the resize to {self.resize}"
            raise TooSmall(
                f"{found_height} pixels high and {found_width} wide{after}, smaller than the "
                f"image_shape {channels},{height},{width}; set resize to {max(height, width)} or "
                "more, or give larger images"
            )

    def _augmented(self, picture: np.ndarray, chances: Sequence[float]) -> np.ndarray:
        _, height, width = self.image_shape
        down, right, flip, *others = chances
        if self.augmentation == "crop_color_transform":
            picture = _transformed(picture, height, width, down, right, others[3:])
        else:
            picture = _cut(picture, height, width, down, right)
        if self.augmentation != "crop":
            picture = _recoloured(picture, others[:3])
        return cv2.flip(picture, 1) if flip < 0.5 else picture


def _corner(picture: np.ndarray, height: int, width: int, down: float, right: float) -> list[int]:
    """Return top and left of a window, 0 to 1 of the way from the first place to the last."""
    places = (picture.shape[0] - height + 1, picture.shape[1] - width + 1)
    return [min(int(n * chance), n - 1) for n, chance in zip(places, (down, right), strict=True)]


def _cut(picture: np.ndarray, height: int, width: int, down: float, right: float) -> np.ndarray:
    top, left = _corner(picture, height, width, down, right)
    return picture[top : top + height, left : left + width]


def _between(chance: float, widest: float) -> float:
    return (2 * chance - 1) * widest


def _recoloured(picture: np.ndarray, chances: Sequence[float]) -> np.ndarray:
    """Shift hue, lightness and saturation; hue goes round, the others end at their limits."""
    hue, lightness, saturation = (
        round(_between(chance, widest))
        for chance, widest in zip(chances, (HUE, LIGHTNESS, SATURATION), strict=True)
    )
    levels = np.arange(256)
    table = np.empty((1, 256, 3), np.uint8)
    table[0, :, 0] = (levels + hue) % 180
    table[0, :, 1] = np.clip(levels + lightness, 0, 255)
    table[0, :, 2] = np.clip(levels + saturation, 0, 255)
    shifted = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_RGB2HLS), table)
    return cv2.cvtColor(shifted, cv2.COLOR_HLS2RGB)


def _transformed(
    picture: np.ndarray,
    height: int,
    width: int,
    down: float,
    right: float,
    chances: Sequence[float],
) -> np.ndarray:
    """Rotate, shear and stretch about the centre of a window, and cut it out.

    Where that needs pixels from beyond the picture, it goes on as its mirror image.
    """
    angle = np.radians(_between(chances[0], ROTATION_DEGREES))
    shear = _between(chances[1], SHEAR)
    stretch = np.sqrt(1 + _between(chances[2], ASPECT_RATIO))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turned @ np.array([[1, shear], [0, 1]]) @ np.diag([stretch, 1 / stretch])
    top, left = _corner(picture, height, width, down, right)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = centre - matrix @ (centre + np.array([left, top]))
    return cv2.warpAffine(
        picture,
        np.column_stack([matrix, shift]),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
