"""Reads the outputs of the other nodes, and writes the two files of the report."""

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.report import (
    distribution,
    held_out_users,
    page,
    records,
    shown_users,
    spec,
    summary,
)
from components.report.document import HeldOutUsers, Setting, Summary
from ncf_model import features
from ncf_model.evaluation import evaluation_result
from ncf_model.evaluation.served_result import Served
from ncf_model.training.training_history import History

HISTORY_FILE = "history.json"
SUMMARY_FILE = "summary.json"
PAGE_FILE = "index.html"
SERVED_FILE = "since.json"  # of ServedEvaluation


class Executor(base_executor.BaseExecutor):
    """All input and output; `summary` and `page` decide what the files say."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `summary.json` and `index.html` into the output artifact."""
        one = {
            key: artifact_utils.get_single_instance(artifacts)
            for key, artifacts in (input_dict | output_dict).items()
            if artifacts
        }
        settings = json.loads(exec_properties.get(spec.CONFIG_KEY) or "{}")
        result = summary.summarise(
            exec_properties[spec.DATASET_KEY],
            _findings(one),
            {name: Setting(**setting) for name, setting in settings.items()},
        )
        write(result, one[spec.REPORT_KEY].uri)


def write(result: Summary, folder: str) -> None:
    """Writes `summary.json` and `index.html` into `folder`."""
    for name, text in (
        (SUMMARY_FILE, result.to_json()),
        (PAGE_FILE, page.render(result)),
    ):
        with fileio.open(os.path.join(folder, name), "w") as f:
            f.write(text)


def _findings(one: dict[str, types.Artifact]) -> summary.Findings:
    """Returns the results of the nodes, whose artifacts `one` holds by key."""
    with fileio.open(os.path.join(one[spec.MODEL_RUN_KEY].uri, HISTORY_FILE)) as f:
        history = History.model_validate_json(f.read())
    evaluation = evaluation_result.read_evaluation(one[spec.EVALUATION_KEY].uri)
    interactions = _properties(one[spec.INTERACTIONS_KEY])
    files = _files(one[spec.INTERACTIONS_KEY], features.INTERACTIONS_SPLIT)
    lists = one[spec.LISTS_KEY]
    histories = records.read_histories(files, ())
    has_times = interactions.get("has_timestamps", 1)
    return summary.Findings(
        interactions=interactions,
        lists=_properties(lists),
        context=_properties(one[spec.CONTEXT_KEY]) if spec.CONTEXT_KEY in one else {},
        history=history,
        evaluation=evaluation,
        blessing=_properties(one[spec.BLESSING_KEY]),
        pushed=_properties(one[spec.PUSHED_MODEL_KEY]),
        distribution=distribution.distribution(
            histories.sizes,
            records.count_items(_files(lists, features.TRAIN_SPLIT)),
            histories.times if has_times else None,
        ),
        users=shown_users.shown_users(
            path_utils.serving_model_path(one[spec.MODEL_KEY].uri),
            _files(lists, features.EVAL_SPLIT),
            files,
        )
        if spec.MODEL_KEY in one
        else [],
        served=_served(one[spec.SERVED_KEY].uri) if spec.SERVED_KEY in one else None,
        held_out_users=_held_out_users(one),
    )


def _held_out_users(one: dict[str, types.Artifact]) -> HeldOutUsers | None:
    """Returns the figures of users who were held out whole; None without any."""
    told = _properties(one[spec.CONTEXT_KEY]) if spec.CONTEXT_KEY in one else {}
    if features.HELD_OUT_USERS not in told or spec.MODEL_KEY not in one:
        return None
    return held_out_users.evaluate(
        path_utils.serving_model_path(one[spec.MODEL_KEY].uri),
        _files(one[spec.LISTS_KEY], features.HELD_OUT_USERS),
        json.loads(told[features.HELD_OUT_USERS]),
    )


def _served(uri: str) -> Served:
    with fileio.open(os.path.join(uri, SERVED_FILE)) as f:
        return Served.model_validate_json(f.read())


def _files(examples: types.Artifact, split: str) -> str:
    return os.path.join(examples.uri, f"Split-{split}", "*")


def _properties(artifact: types.Artifact) -> dict[str, Any]:
    """Returns the custom properties of an artifact as plain values.

    Whole numbers become int, because some metadata stores have one type of number.
    """
    plain = {}
    for name, value in artifact.mlmd_artifact.custom_properties.items():
        kind = value.WhichOneof("value")
        if kind == "struct_value":
            found = artifact.get_json_value_custom_property(name)
        else:
            found = getattr(value, kind) if kind else None
        whole = isinstance(found, float) and found.is_integer()
        plain[name] = int(found) if whole else found
    return plain
