"""Checks without TensorFlow whether a folder holds a whole SavedModel."""

import os
from collections.abc import Mapping

from ncf_model.serving import folders

MODEL_FILE = "saved_model.pb"
INDEX_FILE = "variables/variables.index"
_LENGTH_DELIMITED = 2
_FIXED_BYTES = {1: 8, 5: 4}


def problem(folder: str, files: Mapping[str, int] | None) -> str:
    """Returns what is wrong with a SavedModel; "" if nothing is.

    Args:
        folder: of the SavedModel.
        files: path -> bytes of all files that must be there; None if they are not
            known. Further files do no harm.
    """
    found = folders.sizes(folder)
    if MODEL_FILE not in found:
        return f"{MODEL_FILE} is missing."
    if files is not None:
        for name, size in files.items():
            if found.get(name) != size:
                return f"{name} has {_bytes(found.get(name))}, {size} were pushed."
        return ""
    data = [name for name in found if name.startswith("variables/variables.data-")]
    if bool(data) != (INDEX_FILE in found):
        return "a part of its variables is missing."
    if not is_complete_message(folders.read(os.path.join(folder, MODEL_FILE)) or b""):
        return f"{MODEL_FILE} is cut off or damaged."
    return ""


def newest(serving: str) -> str | None:
    """Returns the path of the newest whole version; None if there is none.

    Args:
        serving: a folder of numbered SavedModels.
    """
    numbers = sorted(int(n) for n in folders.children(serving) if n.isdecimal())
    paths = (os.path.join(serving, str(number)) for number in reversed(numbers))
    return next((path for path in paths if not problem(path, None)), None)


def _bytes(count: int | None) -> str:
    return "no bytes" if count is None else f"{count} bytes"


def is_complete_message(content: bytes) -> bool:
    """Returns whether bytes are one protocol buffer message from first to last.

    Only the outermost fields are looked at. Those of a SavedModel make up nearly all of
    the file, so a file that was cut off is found.

    Example:
        >>> is_complete_message(bytes([0x08, 0x01, 0x12, 0x02, 0x61, 0x62]))
        True
        >>> is_complete_message(bytes([0x08, 0x01, 0x12, 0x02, 0x61]))
        False
    """
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, place = _varint(content, place)
            place += length
        elif kind == 0:
            _, place = _varint(content, place)
        elif kind in _FIXED_BYTES:
            place += _FIXED_BYTES[kind]
        else:
            return False
    return place == len(content) and bool(content)


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Returns the number that begins at `place`, and where it ends."""
    value = shift = 0
    while place < len(content):
        byte = content[place]
        value |= (byte & 127) << shift
        shift, place = shift + 7, place + 1
        if byte < 128:
            return value, place
    return 0, len(content) + 1  # A place beyond the end: the number is cut off.
