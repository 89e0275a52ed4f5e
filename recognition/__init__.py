"""Frames to faces to observations, published on the bus. Recognition proposes, it never decides.

`models` knows the model files, `faces` and `packs` are the engines, `frames` decodes images and videos, `observe` joins
them to a publisher. Importing `recognition.models` loads neither OpenCV nor InsightFace.
"""
