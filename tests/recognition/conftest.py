"""Real models, fetched once into the clone; real photographs only as InsightFace ships them."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from insightface.data import get_image

from domain.errors import UnavailableError
from recognition.faces import FaceEngine
from recognition.models import SFACE, YUNET, ensure

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def models_dir():
    """The directory with both model files: ANJU_MODELS_DIR, or .anju/models of this clone; fetched when missing."""
    directory = Path(os.environ.get("ANJU_MODELS_DIR") or ROOT / ".anju" / "models")
    try:
        ensure([directory])
    except UnavailableError as error:
        pytest.fail(f"the tests of recognition need the model files: {error}")
    return directory


@pytest.fixture(scope="session")
def engine(models_dir):
    return FaceEngine(models_dir / YUNET.file, models_dir / SFACE.file)


@pytest.fixture
def t1():
    """A group photograph of six, 1280 x 886, as it comes with InsightFace."""
    return get_image("t1", use_cache=False)


@pytest.fixture
def write_image():
    """Write `image` to `path` in the form of its suffix, whatever letters the name has."""

    def write(path, image):
        _, encoded = cv2.imencode(path.suffix, image)
        path.write_bytes(encoded.tobytes())
        return path

    return write


@pytest.fixture
def write_video():
    """Write a video in which `image` and an empty picture take turns: `frames` pictures at `rate` a second."""

    def write(path, image, *, frames, rate):
        height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
        assert writer.isOpened()
        for index in range(frames):
            writer.write(image[:height, :width] if index % 2 == 0 else np.zeros((height, width, 3), np.uint8))
        writer.release()
        return path

    return write
