"""Data of one nightly run, with its own vocabularies, for tests of warm starts."""

import json
import types

from ncf_model import features, trainer


class Night:
    """A data set with vocabularies in a given order, and a training on it."""

    def __init__(self, root, records, users, items, people):
        """Writes `people`: user -> (positives, validation, evaluation), of raw ids."""
        self.root, self.users, self.items = root, users, items
        place = {raw: index for index, raw in enumerate(items)}
        rows = [
            {
                features.USER_ID: [user],
                features.USER_INDEX: [users.index(user)],
                features.POSITIVES: [place[item] for item in positives],
                features.VALIDATION_ITEMS: [place[item] for item in validation],
                features.EVAL_ITEMS: [place[item] for item in evaluation],
            }
            for user, (positives, validation, evaluation) in people.items()
        ]
        lists = [
            {features.USER_ID: [user], features.CANDIDATE_IDS: [*validation, items[0]]}
            for user, (_, validation, _) in people.items()
            if validation
        ]
        records.write(root / "Split-train/data_tfrecord-00000-of-00001.gz", rows)
        records.write(root / "Split-validation/data_tfrecord-00000-of-00001.gz", lists)
        records.vocabularies(root, users, items)

    def train(self, model, *, base=None, **train):
        """Trains; returns the folder of the model, and the history."""
        fn_args = types.SimpleNamespace(
            train_files=[str(self.root / "Split-train/data_tfrecord-*")],
            eval_files=[str(self.root / "Split-validation/data_tfrecord-*")],
            transform_graph_path=str(self.root),
            serving_model_dir=str(self.root / "model"),
            model_run_dir=str(self.root / "run"),
            base_model=base,
            custom_config={
                "model": model,
                "train": {"epochs": 3, "refit": False, **train},
                "sampling": {"num_negatives": 2},
                "seed": 3,
                "checkpoints": str(self.root / "checkpoints"),
            },
        )
        trainer.run_fn(fn_args)
        told = json.loads((self.root / "run" / "history.json").read_text())
        return fn_args.serving_model_dir, told


PEOPLE = {
    b"ann": ([b"i0", b"i1", b"i2"], [b"i3"], [b"i4"]),
    b"bob": ([b"i1", b"i0"], [b"i2"], [b"i4"]),
    b"eve": ([b"i2", b"i3", b"i0"], [b"i4"], [b"i1"]),
}
ITEMS = [b"i0", b"i1", b"i2", b"i3", b"i4"]
