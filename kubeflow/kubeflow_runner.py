"""Compiles the pipeline for Kubeflow Pipelines: `ncf compile kfp`, as a script.

python kubeflow/kubeflow_runner.py -o pipeline.yaml --platform kubeflow/gke.yaml
"""

import pathlib
import sys

if __name__ == "__main__":
    # From a checkout without the package installed; this folder itself is no package.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import typer

from pipeline.kfp import cli


def main() -> None:
    """Runs the command."""
    typer.run(cli.compile_kfp)


if __name__ == "__main__":
    main()
