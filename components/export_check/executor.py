"""Fetches model and expected scores, lets `check` compare, and writes the result."""

import json
import os
import tempfile
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.export_check import check, spec
from ncf_model.serving import probe


class Executor(base_executor.BaseExecutor):
    """All input and output; `check` decides what is wrong."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks the one model.

        Raises:
            ValueError: the exported model is broken; the message says how.
        """
        model = artifact_utils.get_single_instance(input_dict[spec.MODEL_KEY])
        run = artifact_utils.get_single_instance(input_dict[spec.MODEL_RUN_KEY])
        output = artifact_utils.get_single_instance(output_dict[spec.CHECK_KEY])
        with fileio.open(os.path.join(run.uri, probe.FILE)) as f:
            expected = json.loads(f.read())
        with tempfile.TemporaryDirectory() as temporary:
            # The process that asks cannot read object stores.
            folder = os.path.join(temporary, "model")
            io_utils.copy_dir(path_utils.serving_model_path(model.uri), folder)
            answer = check.ask(folder, expected)
        check.require(answer, expected)
        fileio.makedirs(output.uri)
        with fileio.open(os.path.join(output.uri, spec.CHECK_FILE), "w") as f:
            f.write(json.dumps(answer["seconds"], indent=2) + "\n")
        logging.info(
            "The export answers as it was trained: %d scores, loaded in %.2f s, a list "
            "in %.1f ms.",
            len(expected["scores"]),
            answer["seconds"]["load"],
            1000 * answer["seconds"]["recommend"],
        )
