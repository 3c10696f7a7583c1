"""Asks a SavedModel; a script for a process that may import only TensorFlow.

The script takes folders of packages, and imports TensorFlow. Then it reads one line of
JSON from standard input, the SavedModel's folder and the path of `probe.json`, and
prints one line of JSON. If the input ends before that line, nobody has a question.
"""

import gc
import json
import os
import statistics
import sys
import time
from typing import Any

NOT_HERE = (
    *("ncf_model", "components", "pipeline", "tfx", "tensorflow_transform"),
    # TensorFlow imports these where they are; TensorFlow Serving has none of them.
    *("IPython", "PIL", "dill", "googleapiclient", "h5py", "keras", "matplotlib"),
    *("pandas", "scipy", "sklearn"),
)
REQUESTS = 20


def import_tensorflow() -> Any:
    """Returns TensorFlow, imported without the packages that it can do without."""
    for name in NOT_HERE:
        sys.modules[name] = None  # type: ignore[assignment]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    gc.disable()  # This saves time: hardly any object becomes garbage here.
    import tensorflow

    return tensorflow


def answers(tf: Any, folder: str, probe: str) -> dict[str, Any]:
    """Returns the answers of the model in `folder`."""
    with open(probe, encoding="utf-8") as f:
        pairs = json.load(f)
    started = time.perf_counter()
    signatures = tf.saved_model.load(folder).signatures
    load = time.perf_counter() - started

    def texts(values: list[str]) -> Any:
        encoded = [value.encode("utf-8", "surrogateescape") for value in values]
        return tf.constant(encoded, tf.string)

    def recommend(users: list[str], k: int) -> dict[str, Any]:
        answer = signatures["recommend"](user_id=texts(users), k=tf.constant(k))
        ids = [
            [item.decode("utf-8", "surrogateescape") for item in row]
            for row in answer["item_ids"].numpy().tolist()
        ]
        return {"item_ids": ids, "scores": answer["scores"].numpy().tolist()}

    scores = signatures["serving_default"](
        user_id=texts(pairs["user_ids"]), item_id=texts(pairs["item_ids"])
    )["score"]
    known = pairs["user_ids"][0]
    lists = {
        "known user": recommend([known], 10),
        "unknown user": recommend([pairs["unknown"]], 10),
        "empty user": recommend([""], 10),
        "no user": recommend([], 10),
    }
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        recommend([known], 10)
        times.append(time.perf_counter() - started)
    return {
        "scores": scores.numpy().tolist(),
        "lists": lists,
        "seconds": {"load": load, "recommend": statistics.median(times)},
    }


if __name__ == "__main__":
    sys.path += sys.argv[1:]
    tensorflow = import_tensorflow()
    if question := sys.stdin.readline():
        print(json.dumps(answers(tensorflow, *json.loads(question))))
