"""Times the Evaluator on whole catalogues, by default of MovieLens 20M's shape.

The network is untrained and the lists are made up; the amount of computation is that
of real ones. The cost per user comes from the difference between two runs with
different numbers of users. The time for all users is extrapolated from that cost, on
the assumption that each user costs the same.

Usage: python benchmarks/evaluator.py [--items 27000] [--all-users 138000] 1000 4000
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SEEN = 144  # Items per user, as in MovieLens 20M.
BEAM_ARGS = ["--runner=FnApiRunner", "--sdk_container_image=none"]


def _save_model(folder: pathlib.Path, options: argparse.Namespace) -> None:
    import numpy as np

    from ncf_model.config import ModelConfig
    from ncf_model.network import model
    from ncf_model.sampling.ragged import Ragged
    from ncf_model.serving import folders, saved_model
    from ncf_model.training import data

    vocabularies = {}
    for name, count in (("user", options.all_users), ("item", options.items)):
        vocabularies[f"{name}_vocabulary"] = str(folder / name)
        (folder / name).write_text("".join(f"{i}\n" for i in range(count)))
    offsets = np.arange(options.all_users + 1)
    one_each = Ragged(np.zeros(options.all_users, np.int32), offsets)
    none = Ragged(np.zeros(0, np.int32), 0 * offsets)
    interactions = data.Interactions(
        user_ids=[b""] * options.all_users,
        user_index=offsets[:-1].astype(np.int32),
        positives=one_each,
        validation_items=none,
        eval_items=none,
    )
    network = model.NeuMF(
        ModelConfig(mf_dim=options.mf_dim),
        num_users=options.all_users,
        num_items=options.items,
    )
    path = str(folder / folders.SERVING_MODEL)
    saved_model.export(
        network,
        interactions,
        path,
        user_vocabulary=vocabularies["user_vocabulary"],
        item_vocabulary=vocabularies["item_vocabulary"],
        refitted=False,
    )


def _write_lists(folder: pathlib.Path, users: int, items: int) -> None:
    import numpy as np
    import tensorflow as tf

    from ncf_model import features

    folder.mkdir()
    rng = np.random.default_rng(0)
    path = str(folder / "data_tfrecord-00000-of-00001.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for user in range(users):
            held_out, *seen = rng.choice(items, 1 + SEEN, replace=False).tolist()
            example = tf.train.Example()
            feature = example.features.feature
            for name, values in (
                (features.USER_ID, [user]),
                (features.CANDIDATE_IDS, [held_out]),
                (features.SEEN_IDS, seen),
            ):
                feature[name].bytes_list.value.extend(b"%d" % x for x in values)
            for name in (features.CANDIDATE_POPULARITY, features.POPULARITY_RANK):
                feature[name].int64_list.value.append(held_out)
            feature["item_knn_rank"].int64_list.value.append(held_out)
            for name, groups in features.SLICES.items():
                group = groups[user % len(groups)].encode()
                feature[name].bytes_list.value.append(group)
            writer.write(example.SerializeToString())


def _evaluate(folder: pathlib.Path) -> None:
    from tfx.types import artifact_utils, standard_artifacts
    from tfx.utils import proto_utils

    from components.eval_context.config import BaselinesConfig
    from components.explaining_evaluator import executor
    from pipeline import evaluation

    examples = standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = artifact_utils.encode_split_names(["eval"])
    model = standard_artifacts.Model()
    model.uri = str(folder)
    outputs = {
        "evaluation": [standard_artifacts.ModelEvaluation()],
        "blessing": [standard_artifacts.ModelBlessing()],
    }
    for name, (artifact,) in outputs.items():
        artifact.uri = str(folder / name)
    config = evaluation.eval_config(
        evaluation.EvaluationConfig(
            baselines=BaselinesConfig(ease_l2=None, ials_l2=None)
        ),
        eval_negatives="all",
    )
    context = executor.Executor.Context(
        beam_pipeline_args=BEAM_ARGS, tmp_dir=str(folder / "tmp"), unique_id="1"
    )
    properties = {
        "eval_config": proto_utils.proto_to_json(config),
        "example_splits": '["eval"]',
        "fairness_indicator_thresholds": "null",
    }
    inputs = {"examples": [examples], "model": [model]}
    executor.Executor(context).Do(inputs, outputs, properties)


def _run_here(users: int, options: argparse.Namespace) -> dict[str, float]:
    """Runs the Evaluator in this process, so that the peak memory is Evaluator's."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _save_model(folder, options)
        _write_lists(folder / "Split-eval", users, options.items)
        start, cpu = time.perf_counter(), time.process_time()
        _evaluate(folder)
        return {
            "seconds": time.perf_counter() - start,
            "CPU seconds": time.process_time() - cpu,
            "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def measure(users: int, options: argparse.Namespace) -> dict[str, float]:
    """Returns the figures of `_run_here`, called in a new process."""
    command = [sys.executable, __file__, "--here", str(users)]
    for name in ("items", "all_users", "mf_dim"):
        command += [f"--{name.replace('_', '-')}", str(vars(options)[name])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def options(*arguments: str) -> argparse.Namespace:
    """Returns the settings that `arguments` name; without any, those of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", nargs="+", type=int)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--all-users", type=int, default=138_000)
    parser.add_argument("--mf-dim", type=int, default=8)
    parser.add_argument("--here", action="store_true", help="one run, as JSON")
    return parser.parse_args(arguments or None)


def main() -> None:
    """Prints a row per number of users, and an extrapolation to all users."""
    chosen = options()
    if chosen.here:
        print(json.dumps(_run_here(chosen.users[0], chosen)))
        return
    found = {}
    for users in chosen.users:
        found[users] = measure(users, chosen)
        print(users, {name: round(value, 1) for name, value in found[users].items()})
    if len(found) > 1:
        few, many = min(found), max(found)
        for name in ("seconds", "CPU seconds"):
            each = (found[many][name] - found[few][name]) / (many - few)
            rest = chosen.all_users - many
            print(f"all users, {name}: {found[many][name] + rest * each:,.0f}")


if __name__ == "__main__":
    main()
