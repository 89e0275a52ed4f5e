"""InsightFace model packs that are on this disk: another engine with the same faces.

Their published weights are for non-commercial research only: the owner of a pack decides, Anju neither fetches nor prefers it.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from insightface.app import FaceAnalysis

from domain.errors import UnavailableError
from domain.observation import ModelUse
from recognition.faces import MIN_SCORE, Face, require_picture, session_options, unit, unit_score
from recognition.geometry import clip
from recognition.models import sha256_of

if TYPE_CHECKING:
    from recognition.images import Image


class InsightFacePack:
    """A pack by its name in the folder `root` that holds packs (such as ~/.insightface/models): a `FaceFinder`."""

    def __init__(self, name: str, root: Path, *, threads: int = 1, min_score: float = MIN_SCORE) -> None:
        """Load the detection and the recognition model of `root`/`name`; nothing is ever downloaded.

        UnavailableError: the folder is not there, or lacks one of the two.
        """
        folder = root / name
        # FaceAnalysis would download a name it does not find; a folder that exists it takes as it is.
        if not folder.is_dir() or not any(folder.glob("*.onnx")):
            raise UnavailableError(f"model pack {name!r} is not in {root}: put its .onnx files into {folder}")
        try:
            self._analysis = FaceAnalysis(
                name=str(folder.resolve()),
                allowed_modules=["detection", "recognition"],
                sess_options=session_options(threads),
                providers=["CPUExecutionProvider"],
            )
        except AssertionError as error:  # its way of saying so
            raise UnavailableError(f"model pack {name!r} in {root} has no model that finds faces") from error
        if "recognition" not in self._analysis.models:
            raise UnavailableError(f"model pack {name!r} in {root} has no model that makes vectors")
        self._analysis.prepare(ctx_id=-1, det_thresh=min_score)
        self.detector, self.embedder = (
            _use(name, self._analysis.models[task]) for task in ("detection", "recognition")
        )
        self._lock = Lock()

    def detect(self, frame: Image) -> list[Face]:
        """The faces in `frame` from left to right, as in `FaceEngine.detect`; vectors of 512 in the published packs."""
        require_picture(frame)
        with self._lock:
            found = sorted(self._analysis.get(frame), key=lambda face: (face.bbox[0], face.bbox[1]))
        return [
            Face(
                box=clip(np.array([*face.bbox[:2], *(face.bbox[2:] - face.bbox[:2])], np.float32), frame),
                landmarks=np.asarray(face.kps, np.float32),
                score=unit_score(face.det_score),
                embedding=unit(face.embedding),
            )
            for face in found
        ]


def _use(pack: str, model: object) -> ModelUse:
    path = Path(str(getattr(model, "model_file", "")))
    return ModelUse(f"{pack}/{path.stem}", sha256_of(path))
