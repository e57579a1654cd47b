"""The format of files that hold object code: a checksum, a description, and the code.

====== =========================================================================
bytes  content
====== =========================================================================
16     MAGIC
32     SHA-256 digest of all that follows
8      n, a little-endian integer
n      the description: a JSON value in UTF-8
rest   the code
====== =========================================================================

Linking damaged code can end the process. So the digest is compared before anything is used. It
guards against damage, not against an attacker: who may write such a file could run code anyway, and
`private_folder` looks at that.
"""

from __future__ import annotations

import hashlib
import json
import struct

MAGIC = b"fastnn code v1\n\0"
_LENGTH = struct.Struct("<Q")
_HEAD = len(MAGIC) + 32


def seal(description, code):
    """Return the bytes of a file; description: what JSON can hold; code: bytes."""
    text = json.dumps(description, separators=(",", ":")).encode()
    content = _LENGTH.pack(len(text)) + text + code
    return MAGIC + hashlib.sha256(content).digest() + content


def unseal(content):
    """Return (description, code) of a file's bytes, code as a memoryview; None if it is damaged."""
    view = memoryview(content)
    whole = view[_HEAD:]
    if len(whole) < _LENGTH.size or view[: len(MAGIC)] != MAGIC:
        return None
    if hashlib.sha256(whole).digest() != view[len(MAGIC) : _HEAD]:
        return None
    (length,) = _LENGTH.unpack_from(whole)
    begin = _LENGTH.size
    try:
        description = json.loads(bytes(whole[begin : begin + length]))
    except ValueError:  # what another version of `seal` may have written
        return None
    return description, whole[begin + length :]
