"""Artifacts by the names that Kubeflow and Vertex AI know, where TFX knows numbers.

TFX makes a number of each input's name and, once an Evaluator has run, makes the name
again of the numbers on its blessing: those of its own inputs. The model to beat is an
input of BlessedRanks, which notes it on what it hands to Evaluator; so it is noted by
name there.
"""

import hashlib
import json
from typing import Any

from pipeline.cluster import local_copies

# What BlessedRanks notes of older models, as JSON: `ncf_model.features.RIVALS`.
NOTES = ("latest_blessed", "best_blessed")
# The name on a blessing -> as TFX calls it, where it makes names itself.
RENAMED = {"baseline_model_name": "baseline_model_id"}
_NUMBERS = 1 << 63

Json = dict[str, Any]


def names(task: Json) -> dict[int, str]:
    """Returns TFX's number of each input artifact of a task -> its name."""
    inputs = task.get("inputs", {}).get("artifacts", {}).values()
    found = [a["name"] for item in inputs for a in item["artifacts"] if a.get("name")]
    return {number(name): name for name in found}


def number(name: str) -> int:
    """Returns the number that TFX makes of a name."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % _NUMBERS


def restore(output: Json, known: dict[int, str]) -> None:
    """Puts names and URIs of the object store into an ExecutorOutput, in place.

    Args:
        output: the ExecutorOutput.
        known: as from `names`, of the same task.
    """
    for artifacts in output.get("artifacts", {}).values():
        for artifact in artifacts.get("artifacts", []):
            metadata = artifact.get("metadata", {})
            for old, new in RENAMED.items():
                if old in metadata:
                    metadata[new] = metadata.pop(old)
            for note in NOTES:
                text = metadata.get(note)
                # On a blessing they are already as they should be.
                if isinstance(text, str) and text:
                    noted = local_copies.to_remote(json.loads(text))
                    noted["id"] = known.get(noted.get("id"), noted.get("id"))
                    metadata[note] = json.dumps(noted)
