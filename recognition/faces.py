"""Faces in a frame: where they are and a vector for each, by YuNet and SFace."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
from insightface.model_zoo import get_model

from domain.errors import CorruptError, InvalidError
from domain.observation import ModelUse
from recognition.geometry import Floats, align, clip, merge, shrink
from recognition.models import check
from recognition.registry import SFACE, YUNET

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from recognition.images import Image

LONG_SIDE = 1280
"""Frames are scaled down to this side, in pixels, for detection; alignment and vectors use the frame as it is."""
MIN_SCORE = 0.7

_COARSE_SIDE = 320
_LARGEST = 300.0
_SAME_FACE = 0.3
_CANDIDATES = 5000
_ROW = 15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """One face. box: x, y, width, height in pixels of the frame, inside it. landmarks: 5 x 2 float32, pixels: right eye,
    left eye, tip of the nose, right and left corner of the mouth, as the person has them. score: the detector's, 0..1.
    embedding: float32 of unit length, (128,) by SFace; vectors of different engines do not compare.
    """

    box: tuple[float, float, float, float]
    landmarks: Floats = field(repr=False)
    score: float
    embedding: Floats = field(repr=False)


class FaceFinder(Protocol):
    """What every engine does; `detector` and `embedder` are the files it really loaded."""

    @property
    def detector(self) -> ModelUse:
        """The model that finds faces."""

    @property
    def embedder(self) -> ModelUse:
        """The model that makes the vectors."""

    def detect(self, frame: Image) -> Sequence[Face]:
        """The faces in `frame` from left to right; InvalidError if it is no picture. Any thread may call."""


class FaceEngine:
    """YuNet through OpenCV and SFace through InsightFace, on the CPU: a `FaceFinder`.

    One frame at a time: threads that share an engine wait for each other. For more, build more engines.
    """

    def __init__(
        self,
        yunet: Path,
        sface: Path,
        *,
        threads: int = 1,
        long_side: int = LONG_SIDE,
        min_score: float = MIN_SCORE,
    ) -> None:
        """Load both files, their digests checked: CorruptError or UnavailableError as in `models.check`.

        threads: for SFace, and for OpenCV in this whole process (it has one pool). min_score: 0..1, faces below are left out.
        """
        check(YUNET, yunet)
        check(SFACE, sface)
        self.detector = ModelUse(YUNET.name, YUNET.sha256)
        self.embedder = ModelUse(SFACE.name, SFACE.sha256)
        self._long_side = long_side
        self._lock = Lock()
        cv2.setNumThreads(threads)
        with _quiet_opencv():
            self._yunet = cv2.FaceDetectorYN.create(
                str(yunet), "", (1, 1), min_score, _SAME_FACE, _CANDIDATES
            )
        self._sface = get_model(
            str(sface), sess_options=session_options(threads), providers=["CPUExecutionProvider"]
        )

    def detect(self, frame: Image) -> list[Face]:
        """The faces in `frame` (height x width x 3, BGR, uint8) from left to right; InvalidError if it is no such array."""
        require_picture(frame)
        with self._lock:
            rows = self._rows(frame)
            return [self._face(frame, row) for row in sorted(rows, key=lambda row: (row[0], row[1]))]

    def _rows(self, frame: Image) -> Floats:
        """Two passes, since YuNet knows faces of 10 to 300 px only: a small copy for close faces, a large one for the rest."""
        coarse = self._pass(frame, _COARSE_SIDE)
        long_side = max(frame.shape[:2])
        if long_side <= _COARSE_SIDE:
            return coarse
        fine = self._pass(frame, self._long_side)
        return merge(coarse, fine, largest=_LARGEST * max(1.0, long_side / self._long_side))

    def _pass(self, frame: Image, long_side: int) -> Floats:
        small, scale = shrink(frame, long_side)
        self._yunet.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._yunet.detect(small)
        # OpenCV gives None, whatever its stub says, when there is no face.
        rows = np.zeros((0, _ROW), np.float32) if found is None else np.array(found, np.float32)
        rows[:, : _ROW - 1] /= scale
        return rows

    def _face(self, frame: Image, row: Floats) -> Face:
        landmarks = row[4:14].reshape(5, 2)
        vector = self._sface.get_feat(align(frame, landmarks))
        return Face(
            box=clip(row, frame), landmarks=landmarks, score=unit_score(row[14]), embedding=unit(vector)
        )


def require_picture(frame: Image) -> None:
    """InvalidError unless `frame` is height x width x 3, uint8 and not empty."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0 or frame.dtype != np.uint8:  # noqa: PLR2004 - BGR
        raise InvalidError(
            f"a frame of shape {frame.shape} and type {frame.dtype} is refused: height x width x 3 of uint8 is expected"
        )


def unit(vector: Floats) -> Floats:
    """`vector` flattened and of length 1, float32; CorruptError if it has none (the model gave zeros or no numbers)."""
    flat = np.asarray(vector, np.float32).ravel()
    length = float(np.linalg.norm(flat))
    if not (np.isfinite(length) and length > 0):
        raise CorruptError(f"the embedding model gave a vector of length {length}")
    return flat / np.float32(length)


def unit_score(score: float) -> float:
    """`score` as a float in 0..1: detectors overshoot 1 by a rounding."""
    return min(max(float(score), 0.0), 1.0)


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """ONNX Runtime bound to `threads` threads and silent about harmless warnings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV 5 from warning, at each load, that its new graph engine has no targets to choose from."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
