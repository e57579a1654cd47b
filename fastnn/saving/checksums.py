"""Checksums of model files: SHA-256 of every tensor's bytes, and of all strings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK = 2**18  # bytes that are read, hashed and copied at a time


def little_endian_bytes(tensor: Array) -> Array:
    """Return the bytes of a tensor as they stand in files: uint8 (n,), little-endian, C order."""
    return np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)


def with_checksums(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> dict[str, str]:
    """Return the metadata with the checksums of the tensors and of itself."""
    sums = {
        name: hashlib.sha256(little_endian_bytes(array).data).hexdigest()
        for name, array in tensors.items()
    }
    strings = {**metadata, "checksums": json.dumps(sums)}
    return {**strings, "checksum": checksum(strings)}


def checksum(strings: Mapping[str, str]) -> str:
    """SHA-256 of json.dumps(strings, sort_keys=True), taken block by block."""
    digest = hashlib.sha256(b"{")
    for place, (name, string) in enumerate(sorted(strings.items())):
        digest.update(f'{", " if place else ""}{json.dumps(name)}: "'.encode())
        for begin in range(0, len(string), BLOCK):
            digest.update(json.dumps(string[begin : begin + BLOCK])[1:-1].encode())
        digest.update(b'"')
    digest.update(b"}")
    return digest.hexdigest()
