"""Which folders are versions of a model, and which two are the same model."""

import os
from collections.abc import Callable, Iterable

# Pusher copies it last, so a folder that has it is complete.
MODEL_FILE = "saved_model.pb"
# The index holds a checksum of every tensor.
INDEX_FILE = os.path.join("variables", "variables.index")


def newest_first(names: Iterable[str]) -> list[str]:
    """Returns the names that are version numbers, the highest first.

    Args:
        names: what is in the folder; object stores end the names of folders in "/".

    Example:
        >>> newest_first(["9", "10/", "tmp", "1.5"])
        ['10', '9']
    """
    stripped = (name.rstrip("/") for name in names)
    numbers = [name for name in stripped if name.isascii() and name.isdigit()]
    return sorted(numbers, key=int, reverse=True)


def marks(folder: str, read: Callable[[str], bytes | None]) -> tuple[bytes | None, ...]:
    """Returns what is equal for two copies of a SavedModel, and for no others.

    Args:
        folder: of the SavedModel.
        read: returns the content of a file, None if there is no such file.
    """
    return tuple(read(os.path.join(folder, name)) for name in (MODEL_FILE, INDEX_FILE))
