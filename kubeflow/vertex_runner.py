"""Compiles the pipeline for `tfx pipeline create --engine=vertex`.

The result is that of `ncf compile vertex`. The settings come from environment
variables: ROOT, SERVING and IMAGE must be set, CONFIG, DATASET and PLATFORM may be.
Afterwards `tfx run create --engine=vertex` submits the compiled pipeline, with the
pipeline root and the service account that were compiled into it: that command has no
options for them.
"""

import os
import pathlib
import sys

if __name__ == "__main__":
    # The checkout's packages are found without being installed. The script's own folder
    # is not on the path, because `kubeflow/` is not a package.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from pipeline import config as config_module
from pipeline.cluster import config as cluster_config
from pipeline.vertex import compile as compiler
from pipeline.vertex import config as vertex_config

NEEDED = ("ROOT", "SERVING", "IMAGE")


def main() -> None:
    """Compiles the pipeline to where the `tfx` command looks for it."""
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise SystemExit(
            f"Set {', '.join(missing)} in the environment. ROOT is the gs:// folder of "
            "the runs, SERVING the gs:// folder of pushed models, and IMAGE the "
            "container image, best named by its digest."
        )
    settings = config_module.load(
        os.environ.get("CONFIG"), dataset=os.environ.get("DATASET")
    )
    platform = cluster_config.load(
        vertex_config.VertexConfig,
        os.environ.get("PLATFORM"),
        image=os.environ["IMAGE"],
        serving=os.environ["SERVING"],
    )
    # The `tfx` command has patched TFX's runner, which compiling calls: the patched
    # runner makes the folder into which the file is written below.
    text = compiler.compile_pipeline(settings, platform, root=os.environ["ROOT"])
    home = os.environ.get("VERTEX_HOME") or pathlib.Path.home() / "tfx" / "vertex"
    file = pathlib.Path(home, settings.pipeline_name, "pipeline.json")
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
