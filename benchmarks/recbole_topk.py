"""Times RecBole's top-k; `serving.py` starts this script in RecBole's environment.

Usage: python recbole_topk.py TABLES.npz

The model is RecBole's BPR, whose score is the product that GMF computes. The tables in
the file replace the model's own. RecBole leaves out the items that a user has.
"""

import json
import logging
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender import BPR
from recbole.utils.case_study import full_sort_topk

K = 10


def write_interactions(folder: pathlib.Path, tables: dict[str, np.ndarray]) -> None:
    """Writes each user's items in RecBole's format."""
    owners = np.repeat(np.arange(len(tables["users"])), np.diff(tables["offsets"]))
    folder.mkdir()
    with open(folder / "made.inter", "w") as f:
        f.write("user_id:token\titem_id:token\n")
        np.savetxt(f, np.stack([owners, tables["seen"]], 1), "%d", delimiter="\t")


def load(folder: str, dim: int) -> tuple[BPR, Any]:
    """Returns the model and the loader that knows which items each user has."""
    settings = {
        "embedding_size": dim,
        "data_path": folder,
        "load_col": {"inter": ["user_id", "item_id"]},
        "eval_args": {
            "split": {"RS": [0.98, 0.01, 0.01]},
            "order": "RO",
            "group_by": "user",
            "mode": "full",
        },
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "checkpoint_dir": folder,
    }
    # `Config` reads sys.argv, too.
    config = Config(model="BPR", dataset="made", config_dict=settings)
    dataset = create_dataset(config)
    rows, _, test = data_preparation(config, dataset)
    return BPR(config, rows.dataset), test


def fill(model: BPR, dataset: Any, tables: dict[str, np.ndarray]) -> None:
    """Copies the tables into the model, in RecBole's own order of users and items."""
    for field, layer, table in (
        ("user_id", model.user_embedding, tables["users"]),
        ("item_id", model.item_embedding, tables["items"]),
    ):
        tokens = dataset.field2id_token[field][1:].astype(np.int64)  # Row 0 is padding.
        layer.weight.data[1:] = torch.from_numpy(table[tokens])


def times(ask: Callable[[], object], count: int) -> tuple[float, float]:
    """Returns the median seconds of a call, and the median of its CPU seconds."""
    ask()
    found = []
    for _ in range(count):
        started, cpu = time.perf_counter(), time.process_time()
        ask()
        found.append((time.perf_counter() - started, time.process_time() - cpu))
    wall, used = np.median(found, axis=0)
    return float(wall), float(used)


def main() -> None:
    """Prints the seconds for one user, and for all at once."""
    tables = dict(np.load(sys.argv.pop(), allow_pickle=False))
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        os.chdir(folder)  # RecBole logs into the working folder.
        write_interactions(pathlib.Path(folder) / "made", tables)
        model, test = load(folder, tables["users"].shape[1])
        fill(model, test.dataset, tables)
        users = np.arange(1, len(tables["users"]) + 1)
        one = times(lambda: full_sort_topk(users[7:8], model, test, K), 100)
        every = times(lambda: full_sort_topk(users, model, test, K), 5)
    names = ("one", "one_cpu", "all", "all_cpu")
    print(json.dumps(dict(zip(names, one + every, strict=True))), file=out)


if __name__ == "__main__":
    main()
