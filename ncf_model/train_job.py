"""Runs Trainer's run_fn without a pipeline: what each pod of a TFJob executes.

Every pod has the same command. The environment variable TF_CONFIG, which the operator
sets, says which pod a process is.
"""

import argparse
import json
import os
import types
from collections.abc import Sequence

from ncf_model import features, libraries
from ncf_model.serving import folders

EXAMPLES_FLAG = "--examples"
TRANSFORM_GRAPH_FLAG = "--transform_graph"
OUTPUT_FLAG = "--output"
CUSTOM_CONFIG_FLAG = "--custom_config"
CHECKPOINTS = "checkpoints"
# The folder of a split in TFX's artifact Examples.
_SPLIT = "Split-{}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains on artifacts of a pipeline's run, and writes `model` and `model_run`.

    All paths may be gs:// URIs. Every pod must see the output folder, because the pods
    look for the chief's model and checkpoints there.
    """
    libraries.set_up(os.environ)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(EXAMPLES_FLAG, required=True, help="NegativeSampling's.")
    parser.add_argument(TRANSFORM_GRAPH_FLAG, required=True, help="Transform's.")
    parser.add_argument(OUTPUT_FLAG, required=True, help="A folder.")
    parser.add_argument(CUSTOM_CONFIG_FLAG, required=True, help="Of run_fn, as JSON.")
    given = parser.parse_args(arguments)
    custom = json.loads(given.custom_config)
    custom[CHECKPOINTS] = os.path.join(given.output, CHECKPOINTS)
    from ncf_model import trainer  # Late: making the job needs no TensorFlow.

    trainer.run_fn(
        types.SimpleNamespace(
            train_files=_files(given.examples, features.TRAIN_SPLIT),
            eval_files=_files(given.examples, features.VALIDATION_SPLIT),
            transform_graph_path=given.transform_graph,
            serving_model_dir=os.path.join(
                given.output, "model", folders.SERVING_MODEL
            ),
            model_run_dir=os.path.join(given.output, "model_run"),
            custom_config=custom,
        )
    )


def _files(examples: str, split: str) -> list[str]:
    return [os.path.join(examples, _SPLIT.format(split), "*")]


if __name__ == "__main__":
    main()
