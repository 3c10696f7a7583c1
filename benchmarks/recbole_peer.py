"""Times RecBole's NeuMF; `training.py` starts this script in RecBole's environment.

The script reads lines "small BATCH" or "big BATCH" and answers each with the examples
per second of one epoch of RecBole's own trainer and loader, on made-up data of the size
of MovieLens 1M.
"""

import logging
import os
import pathlib
import sys
import tempfile
import time

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender import NeuMF
from recbole.trainer import Trainer

NUM_USERS, NUM_ITEMS, NUM_NEGATIVES, POSITIVES = 6_040, 3_706, 4, 40_000
NETWORKS = {
    "small": {"mf_embedding_size": 8, "mlp_embedding_size": 32},
    "big": {"mf_embedding_size": 64, "mlp_embedding_size": 128},
}
HIDDEN = {"small": [32, 16, 8], "big": [256, 128, 64]}


def write_interactions(folder: pathlib.Path) -> None:
    """Writes distinct pairs in RecBole's format; every user and every item occurs."""
    rng = np.random.default_rng(0)
    users = np.concatenate([np.arange(NUM_USERS), rng.integers(NUM_USERS, size=80_000)])
    items = rng.zipf(1.2, size=len(users)) % NUM_ITEMS
    items[:NUM_ITEMS] = np.arange(NUM_ITEMS)
    pairs = np.unique(np.stack([users, items], 1), axis=0)
    pairs = rng.permutation(pairs)[:POSITIVES]
    folder.mkdir()
    with open(folder / "made.inter", "w") as f:
        f.write("user_id:token\titem_id:token\n")
        np.savetxt(f, pairs, "%d", delimiter="\t")


def trainer(network: str, batch: int, folder: str) -> tuple[Trainer, object]:
    """Returns RecBole's trainer and its loader of training rows."""
    settings = {
        **NETWORKS[network],
        "mlp_hidden_size": HIDDEN[network],
        "dropout_prob": 0.0,
        "data_path": folder,
        "load_col": {"inter": ["user_id", "item_id"]},
        "train_neg_sample_args": {
            "distribution": "uniform",
            "sample_num": NUM_NEGATIVES,
        },
        "eval_args": {"split": {"RS": [1, 0, 0]}, "order": "RO", "group_by": None},
        "train_batch_size": batch,
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "checkpoint_dir": folder,
    }
    # The script takes no arguments of its own, because `Config` reads sys.argv.
    config = Config(model="NeuMF", dataset="made", config_dict=settings)
    dataset = create_dataset(config)
    rows, _, _ = data_preparation(config, dataset)
    return Trainer(config, NeuMF(config, rows.dataset)), rows


def main() -> None:
    """Answers every line of standard input."""
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(2)
    out, sys.stdout = sys.stdout, sys.stderr
    trainers = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # RecBole logs into the working folder.
        write_interactions(pathlib.Path(folder) / "made")
        for line in sys.stdin:
            network, batch = line.split()
            key = (network, int(batch))
            if key not in trainers:
                trainers[key] = trainer(*key, folder)
                trainers[key][0]._train_epoch(trainers[key][1], 0)
            chosen, rows = trainers[key]
            started = time.perf_counter()
            chosen._train_epoch(rows, 1)
            examples = POSITIVES * (1 + NUM_NEGATIVES)
            print(examples / (time.perf_counter() - started), file=out, flush=True)


if __name__ == "__main__":
    main()
