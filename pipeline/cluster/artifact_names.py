"""Names artifacts as Kubeflow and Vertex AI do, where TFX uses numbers.

TFX computes a number from the name of each input. After Evaluator has run, TFX turns
the numbers on the blessing back into names, but only for Evaluator's own inputs. The
model to beat is an input of BlessedRanks, which notes the model on its output for
Evaluator. Therefore it is noted there by name.
"""

import hashlib
import json
from typing import Any

from pipeline.cluster import local_copies

# Properties in which BlessedRanks notes older models as JSON.
NOTES = ("latest_blessed", "best_blessed")
# Our property of a blessing -> the property for which TFX finds the name itself.
RENAMED = {"baseline_model_name": "baseline_model_id"}
_NUMBERS = 1 << 63

Json = dict[str, Any]


def names(task: Json) -> dict[int, str]:
    """Returns TFX's number of each input artifact of a task -> the artifact's name."""
    inputs = task.get("inputs", {}).get("artifacts", {}).values()
    found = [a["name"] for item in inputs for a in item["artifacts"] if a.get("name")]
    return {number(name): name for name in found}


def number(name: str) -> int:
    """Returns the number that TFX computes from a name."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % _NUMBERS


def restore(output: Json, known: dict[int, str]) -> None:
    """Puts names and URIs of the object store into an ExecutorOutput, in place.

    Args:
        output: the ExecutorOutput.
        known: the result of `names` for the same task.
    """
    for artifacts in output.get("artifacts", {}).values():
        for artifact in artifacts.get("artifacts", []):
            metadata = artifact.get("metadata", {})
            for old, new in RENAMED.items():
                if old in metadata:
                    metadata[new] = metadata.pop(old)
            for note in NOTES:
                text = metadata.get(note)
                # On a blessing these properties are names already.
                if isinstance(text, str) and text:
                    noted = local_copies.to_remote(json.loads(text))
                    noted["id"] = known.get(noted.get("id"), noted.get("id"))
                    metadata[note] = json.dumps(noted)
