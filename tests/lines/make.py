"""Writes what the other line has to read: `python -m tests.lines.make`, on each line.

Runs the pipeline on a few made-up users and packs NegativeSampling's examples,
Transform's graph with the vocabularies, the model, and the model's scores, into
`older.tar.xz` or `current.tar.xz` beside this file (`--to -`: as base64 to the output).
Run it again, on both lines, when one of these formats is changed on purpose.
"""

import argparse
import base64
import contextlib
import io
import json
import lzma
import pathlib
import sys
import tarfile
import tempfile

import tensorflow as tf
from tfx import version

USERS, ITEMS = 24, 10
SETTINGS = [
    "train.epochs=2",
    "train.jit_compile=false",
    "model.history.factors=2",
    "evaluation.baselines.ease_l2=null",
    "evaluation.baselines.ials_l2=null",
    "evaluation.baselines.item_knn_neighbours=null",
]
# Artifact in the pipeline's root -> its name in the archive.
PARTS = {
    "NegativeSampling/examples": "examples",
    "Transform/transform_graph": "transform_graph",
    "Trainer/model": "model",
}
SAID = "said.json"
MODEL = "model/Format-Serving"


def line():
    """Returns the name of the line that is installed."""
    return "older" if version.__version__.startswith("1.16") else "current"


def scores(folder):
    """Returns a model's scores of all user-item pairs, and its recommendations."""
    loaded = tf.saved_model.load(str(folder))
    users = [f"u{number}" for number in range(USERS)] + ["nobody"]
    items = [f"i{number}" for number in range(ITEMS)]
    pairs = [(user, item) for user in users for item in items]
    scored = loaded.signatures["serving_default"](
        user_id=tf.constant([user for user, _ in pairs]),
        item_id=tf.constant([item for _, item in pairs]),
    )["score"]
    best = loaded.signatures["recommend"](user_id=tf.constant(users), k=tf.constant(3))[
        "item_ids"
    ]
    return {
        "scores": [round(float(score), 6) for score in scored],
        "recommended": [[i.decode() for i in row] for row in best.numpy().tolist()],
    }


def _data(file):
    rows = [
        f"u{user},i{item},{1 + place}\n"
        for user in range(USERS)
        for place, item in enumerate((user * 3 + step) % ITEMS for step in range(5))
    ]
    file.write_text("user,item,timestamp\n" + "".join(rows))


def pack(root):
    """Returns the archive, made in a folder that is empty."""
    from pipeline import config, inputs
    from pipeline.local import running

    _data(root / "tiny.csv")
    settings = config.load(overrides=SETTINGS, dataset=str(root / "tiny.csv"))
    found = inputs.find_data(settings, None)
    with contextlib.redirect_stdout(io.StringIO()):
        running.run(settings, found, out=root / "out", quiet=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for artifact, name in PARTS.items():
            (folder,) = (root / "out" / "pipeline_root" / artifact).iterdir()
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    info = tarfile.TarInfo(f"{name}/{file.relative_to(folder)}")
                    info.size = file.stat().st_size
                    with file.open("rb") as content:
                        tar.addfile(info, content)
            if name == "model":
                said = json.dumps(scores(folder / "Format-Serving")).encode()
                info = tarfile.TarInfo(SAID)
                info.size = len(said)
                tar.addfile(info, io.BytesIO(said))
    return lzma.compress(archive.getvalue(), preset=9)


def main(arguments):
    """Writes the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", help="A folder, or - for base64 to the output.")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as root:
        packed = pack(pathlib.Path(root))
    if given.to == "-":
        print("ARCHIVE", base64.b64encode(packed).decode())
        return
    folder = pathlib.Path(given.to or pathlib.Path(__file__).parent)
    (folder / f"{line()}.tar.xz").write_bytes(packed)


if __name__ == "__main__":
    main(sys.argv[1:])
