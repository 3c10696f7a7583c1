"""Compiles the pipeline for Kubeflow Pipelines, as the command `ncf compile kfp` does.

Usage, from a checkout in which the package is not installed:

python kubeflow/kubeflow_runner.py -o pipeline.yaml --platform kubeflow/gke.yaml
"""

import pathlib
import sys

if __name__ == "__main__":
    # The checkout's packages are found without being installed. The script's own folder
    # is not on the path, because `kubeflow/` is not a package.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import typer

from pipeline.kfp import cli


def main() -> None:
    """Runs the command."""
    typer.run(cli.compile_kfp)


if __name__ == "__main__":
    main()
