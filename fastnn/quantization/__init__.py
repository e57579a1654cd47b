"""Quantised networks: int8 predictions of trained networks, their files and ONNX models."""
