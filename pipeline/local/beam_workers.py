"""Chooses how many processes of this machine share a node's work on Beam."""

import os
from collections.abc import Iterable
from typing import Any

import psutil

from pipeline.local import space

# From so many bytes of Examples on, some nine million interactions, two processes need
# less time than one (`docs/scale.md`). Each imports TFX, which takes six seconds.
FROM_BYTES = 64 << 20
# What a process needs, its own copy of TensorFlow and of a model included.
MEMORY_BYTES = 2 << 30


def choose(wanted: int | None, inputs: Iterable[Any]) -> int:
    """Returns the number of processes for a node.

    Args:
        wanted: the number that the user named; None chooses: one, or with much input
            one per core, as far as the free memory suffices.
        inputs: the node's input artifacts, whose sizes `trust.note_files` has noted.
            Only Examples count. InteractionsExampleGen has none, as it reads a file,
            and stays in one process: it sends all rows through the first process to
            group them, so more processes made it slower.
    """
    if wanted is not None:
        return wanted
    examples = [one for one in inputs if one.type_name == "Examples"]
    if space.noted_bytes(examples) < FROM_BYTES:
        return 1
    fitting = psutil.virtual_memory().available // MEMORY_BYTES
    return max(1, min(len(os.sched_getaffinity(0)), fitting))


def arguments(workers: int) -> list[str]:
    """Returns the arguments with which Beam starts so many processes."""
    if workers == 1:
        return []
    return [
        f"--direct_num_workers={workers}",
        "--direct_running_mode=multi_processing",
    ]
