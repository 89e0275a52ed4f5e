"""Still images: what the first bytes say, and decoding within limits."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from recognition.errors import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

Image: TypeAlias = npt.NDArray[np.uint8]
"""height x width x 3, blue-green-red, 0..255."""

MAX_PIXELS = 64_000_000
"""Per picture: 192 MB decoded. Larger ones are refused before they are decoded."""
MAX_BYTES = 128_000_000
"""Per image file."""
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_MARK = 0xFF
_JPEG_SCAN = 0xDA


def read_image(path: Path, content: bytes) -> Image:
    """Decode the image file `path` whose bytes are `content`, turned upright as its EXIF says.

    UnreadableError: not an image by its first bytes, too large, truncated or malformed. OpenCV 5 refuses truncated files.
    """
    size = image_size(content)
    if size is None:
        raise UnreadableError(path, "its content is no JPEG, PNG, WebP or BMP image, whatever its name says")
    require_pixels(path, *size)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UnreadableError(path, f"it does not decode: {error.err}") from error
    if image is None:
        raise UnreadableError(path, "it is truncated or malformed and does not decode")
    return np.asarray(image, np.uint8)


def require_pixels(path: Path, width: int, height: int) -> None:
    """UnreadableError if a picture of this size would take too much memory."""
    if width * height > MAX_PIXELS:
        raise UnreadableError(path, f"{width} x {height} pixels are more than the {MAX_PIXELS} allowed")


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height that the header of a JPEG, PNG, WebP or BMP declares, in pixels; None if it is none of them."""
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(content)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(">II", content, 16)
        if content.startswith(b"BM"):
            width, height = _pair("<ii", content, 18)
            return abs(width), abs(height)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp_size(content)
    except struct.error:
        return None
    return None


def _pair(form: str, content: bytes, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, content, offset)
    return first, second


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walk the segments up to the frame header (ITU-T T.81, B.2.2); a thumbnail inside a segment is walked over."""
    at = 2
    while at < len(content):
        mark, kind = struct.unpack_from(">BB", content, at)
        if mark != _JPEG_MARK or kind == _JPEG_SCAN:
            return None
        if kind == _JPEG_MARK:
            at += 1
        elif kind in _JPEG_ALONE:
            at += 2
        elif kind in _JPEG_SIZES:
            height, width = _pair(">HH", content, at + 5)
            return width, height
        else:
            at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """The three forms of WebP (RFC 9649): extended, lossless and lossy."""
    match content[12:16]:
        case b"VP8X":
            (low,) = struct.unpack_from("<Q", content[24:30] + b"\0\0")
            return (low & 0xFFFFFF) + 1, (low >> 24 & 0xFFFFFF) + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", content, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = _pair("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None
