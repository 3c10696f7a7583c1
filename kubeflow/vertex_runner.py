"""Compiles as `ncf compile vertex` does, for `tfx pipeline create --engine=vertex`.

Settings come from the environment: ROOT, SERVING and IMAGE, which must be there, and
CONFIG, DATASET and PLATFORM, which need not. Then `tfx run create --engine=vertex`
submits it; root and account are as compiled, for it has no options for either.
"""

import os
import pathlib
import sys

if __name__ == "__main__":
    # From a checkout without the package installed; this folder itself is no package.
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
            f"Set {', '.join(missing)} in the environment: gs://... for runs, gs://... "
            "for pushed models, and the image, best by digest."
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
    # The command watches TFX's runner at work in here, and makes the folder.
    text = compiler.compile_pipeline(settings, platform, root=os.environ["ROOT"])
    home = os.environ.get("VERTEX_HOME") or pathlib.Path.home() / "tfx" / "vertex"
    file = pathlib.Path(home, settings.pipeline_name, "pipeline.json")
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
