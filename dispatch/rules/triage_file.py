"""The file of a model of triage: it says its format and carries a checksum.

What is damaged or of another version is refused before anything is classified.
"""

import hashlib
import zlib
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec
import numpy as np

from dispatch.errors import Broken
from dispatch.rules.triage_model import Document, Model

MAGIC: Final = b"dispatch-triage\n"
FORMAT: Final = 6
FILE: Final = "triage_model.bin"
_SUM_LENGTH: Final = 32
_COUNT_LENGTH: Final = 4


class ModelError(Broken):
    """The model's file cannot be used: damaged, or made for another version. `code` is stable."""

    def __init__(self, code: str, what: str) -> None:
        """``what`` is wrong; the remedy is always the same."""
        remedy = "build it anew with `make model` (one of your own: `dispatch train`), or install the package again"
        super().__init__(f"{code}: {what}; {remedy}")
        self.code = code


def write(document: Document) -> bytes:
    """The file of a model: magic, format, checksum, and the document, packed."""
    thin = msgspec.structs.replace(document, rows=_thinned(document.rows))
    packed = zlib.compress(msgspec.msgpack.encode(thin), 9)
    return MAGIC + bytes([FORMAT]) + hashlib.sha256(packed).digest() + packed


def read(data: bytes, name: str = FILE) -> Document:
    """What a model's file holds; ``name`` is what errors call it.

    Raises:
        ModelError: ``model_damaged`` or ``model_version``.
    """
    head = len(MAGIC) + 1
    if not data.startswith(MAGIC) or len(data) < head + _SUM_LENGTH:
        raise ModelError("model_damaged", f"{name} is not a model of triage")
    if data[head - 1] != FORMAT:
        raise ModelError("model_version", f"{name} has format {data[head - 1]}, and this engine reads {FORMAT}")
    packed = data[head + _SUM_LENGTH :]
    if hashlib.sha256(packed).digest() != data[head : head + _SUM_LENGTH]:
        raise ModelError("model_damaged", f"the checksum of {name} does not match")
    try:
        thin = msgspec.msgpack.decode(zlib.decompress(packed), type=Document)
        return msgspec.structs.replace(thin, rows=_filled(thin.rows))
    except (msgspec.MsgspecError, ValueError, zlib.error) as error:
        raise _unreadable(name, error) from error


def load(data: bytes, name: str = FILE) -> Model:
    """The model in a file.

    Raises:
        ModelError: as :func:`read`, and where the parts of a model do not fit each other.
    """
    document = read(data, name)
    try:
        return Model(document)
    except (ValueError, KeyError) as error:
        raise _unreadable(name, error) from error


@cache
def shipped() -> Model:
    """The model in the package, read once.

    Raises:
        ModelError: if it is damaged or of another version.
    """
    path = files("dispatch.rules").joinpath(FILE)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(FILE, error) from error
    return load(data)


def _unreadable(name: str, error: Exception) -> ModelError:
    return ModelError("model_damaged", f"{name} cannot be read: {error}")


def _thinned(rows: bytes) -> bytes:
    """How many weights, a bit for each whether there is one, and those that there are: a tenth less to pack."""
    whole = np.frombuffer(rows, np.int8)
    there = whole != 0
    count = len(whole).to_bytes(_COUNT_LENGTH, "big")
    return b"".join((count, np.packbits(there).tobytes(), whole[there].tobytes()))


def _filled(thin: bytes) -> bytes:
    """What :func:`_thinned` was given."""
    count = int.from_bytes(thin[:_COUNT_LENGTH], "big")
    bits = np.frombuffer(thin, np.uint8, -(-count // 8), _COUNT_LENGTH)
    there = np.unpackbits(bits, count=count).view(np.bool_)
    whole = np.zeros(count, np.int8)
    whole[there] = np.frombuffer(thin, np.int8, offset=_COUNT_LENGTH + len(bits))
    return whole.tobytes()
