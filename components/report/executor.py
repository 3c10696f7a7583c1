"""Reads what the nodes left, writes the two files."""

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.report import page, spec, summary
from ncf_model.evaluation import evaluation_result

HISTORY_FILE = "history.json"
SUMMARY_FILE = "summary.json"
PAGE_FILE = "index.html"


class Executor(base_executor.BaseExecutor):
    """All input and output; `summary` and `page` decide what is said."""

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
        }
        with fileio.open(os.path.join(one[spec.MODEL_RUN_KEY].uri, HISTORY_FILE)) as f:
            history = json.loads(f.read())
        result = summary.summarise(
            dataset=exec_properties[spec.DATASET_KEY],
            interactions=_properties(one[spec.INTERACTIONS_KEY]),
            lists=_properties(one[spec.LISTS_KEY]),
            history=history,
            evaluation=evaluation_result.read_evaluation(one[spec.EVALUATION_KEY].uri),
            blessing=_properties(one[spec.BLESSING_KEY]),
            pushed=_properties(one[spec.PUSHED_MODEL_KEY]),
        )
        folder = one[spec.REPORT_KEY].uri
        for name, text in (
            (SUMMARY_FILE, json.dumps(result, indent=2, allow_nan=False) + "\n"),
            (PAGE_FILE, page.render(result, history)),
        ):
            with fileio.open(os.path.join(folder, name), "w") as f:
                f.write(text)


def _properties(artifact: types.Artifact) -> dict[str, Any]:
    """Returns the custom properties of an artifact as plain values.

    Whole numbers come back as int: some metadata stores know only one kind of number.
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
