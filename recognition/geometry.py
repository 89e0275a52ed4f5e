"""Pure geometry of detection and alignment; no model is loaded here.

Rows are what cv2.FaceDetectorYN gives, n x 15 float32: x, y, width, height of the box, five landmarks as x, y pairs (right
eye, left eye, tip of the nose, right and left corner of the mouth, as the person has them), score. Pixels of the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from recognition.images import Image

Floats: TypeAlias = npt.NDArray[np.float32]

ALIGNED = 112
"""Side of an aligned face in pixels."""

_TEMPLATE = np.array(
    [38.2946 + 51.6963j, 73.5318 + 51.5014j, 56.0252 + 71.7366j, 41.5493 + 92.3655j, 70.7299 + 92.2041j]
)
"""Where the five landmarks belong in an aligned face, as x + yi: ArcFace's template, which SFace was trained on too."""
_INSIDE = 0.6


def align(frame: Image, landmarks: Floats) -> Image:
    """The face with these 5 x 2 landmarks, turned, scaled and moved onto the template: 112 x 112 x 3.

    The least-squares similarity (Umeyama 1991), which for points in the plane is one complex division; the picture is that
    of cv2.FaceRecognizerSF.alignCrop without a second copy of the 37 MB network, which that needs.
    """
    points = landmarks[:, 0].astype(np.float64) + 1j * landmarks[:, 1].astype(np.float64)
    centred = points - points.mean()
    turn = np.vdot(centred, _TEMPLATE - _TEMPLATE.mean()) / max(
        np.vdot(centred, centred).real, np.finfo(np.float64).tiny
    )
    move = _TEMPLATE.mean() - turn * points.mean()
    matrix = np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])
    return np.asarray(cv2.warpAffine(frame, matrix, (ALIGNED, ALIGNED)), np.uint8)


def shrink(frame: Image, long_side: int) -> tuple[Image, float]:
    """`frame` with its longer side at most `long_side`, and the factor it was scaled by (1.0: the frame itself)."""
    height, width = frame.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1.0:
        return frame, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def merge(coarse: Floats, fine: Floats, largest: float) -> Floats:
    """One list of rows out of two passes over a frame: faces larger than `largest` px from `coarse`, the others from `fine`.

    What `fine` finds mostly inside a face of `coarse` (an eye, a mouth) is part of that face and is dropped.
    """
    sides = np.maximum(coarse[:, 2], coarse[:, 3])
    large = coarse[sides > largest]
    small = [
        row
        for row in fine
        if max(row[2], row[3]) <= largest and not any(_inside(row, face) for face in large)
    ]
    return np.vstack([large, *small]) if len(large) + len(small) else fine[:0]


def clip(row: Floats, frame: Image) -> tuple[float, float, float, float]:
    """The box of `row` cut to the frame: x, y, width, height; a box wholly outside has no width or height."""
    height, width = frame.shape[:2]
    left, right = np.clip([row[0], row[0] + row[2]], 0, width)
    top, bottom = np.clip([row[1], row[1] + row[3]], 0, height)
    return float(left), float(top), float(right - left), float(bottom - top)


def _inside(row: Floats, face: Floats) -> bool:
    width = min(row[0] + row[2], face[0] + face[2]) - max(row[0], face[0])
    height = min(row[1] + row[3], face[1] + face[3]) - max(row[1], face[1])
    return bool(
        width > 0 and height > 0 and width * height > _INSIDE * min(row[2] * row[3], face[2] * face[3])
    )
