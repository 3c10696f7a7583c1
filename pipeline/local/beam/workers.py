"""Chooses how many processes of this machine share a node's work on Beam."""

from collections.abc import Iterable, Mapping
from typing import Any

from components.interactions_example_gen import files
from ncf_model import cores
from pipeline.local import space
from pipeline.local.beam import free_memory

# From so many bytes of Examples on, some three million interactions, two processes need
# less time than one (`docs/scale.md`).
FROM_BYTES = 20 << 20
# What each process needs, a copy of a model included, and what all of them together
# need for a byte of Examples: 3.2 GB with 155 MB, in InteractionsExampleGen.
MEMORY_BYTES = 1 << 30
MEMORY_PER_BYTE = 12
_TEXT_PER_EXAMPLE = 3  # Bytes of text for each byte of an Example.


def choose(
    wanted: int | None, inputs: Iterable[Any], exec_properties: Mapping[str, Any]
) -> int:
    """Returns the number of processes for a node.

    Args:
        wanted: the number that the user named; None chooses: one, or with much input
            one per core, as far as the free memory suffices.
        inputs: the node's input artifacts, whose sizes `trust.note_files` has noted.
            Only Examples count.
        exec_properties: the node's; those of InteractionsExampleGen name its files. A
            node's processes share the files that the node before has written, so that
            node must have written several.
    """
    if wanted is not None:
        return wanted
    examples = [one for one in inputs if one.type_name == "Examples"]
    read = sum(map(files.size, space.interactions(exec_properties)))
    num_bytes = space.noted_bytes(examples) + read // _TEXT_PER_EXAMPLE
    if num_bytes < FROM_BYTES:
        return 1
    free = free_memory.free_bytes() - MEMORY_PER_BYTE * num_bytes
    fitting = free // MEMORY_BYTES
    return max(1, min(cores.usable(), fitting))


def arguments(workers: int) -> list[str]:
    """Returns the arguments with which Beam starts so many processes."""
    if workers == 1:
        return []
    return [
        f"--direct_num_workers={workers}",
        "--direct_running_mode=multi_processing",
    ]
