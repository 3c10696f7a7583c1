"""The pipeline on this machine, for the `tfx` command, which executes this file.

Its settings come from the environment: `CONFIG`, `DATASET`, `DATA_DIR` and `OUT`.
`ncf run` calls `pipeline.local.running.run` itself.
"""

import os
import pathlib
import sys

if __name__ == "__main__":
    # A script's own folder comes first on sys.path, and there `pipeline.py` would hide
    # the package `pipeline`.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])
    from ncf_model import libraries

    libraries.set_up(os.environ)  # Before NumPy is imported.

from pipeline import config as config_module
from pipeline import inputs
from pipeline.local import lock, running


def main() -> None:
    """Runs with the settings of the environment, for the `tfx` command."""
    config = config_module.load(
        os.environ.get("CONFIG"), dataset=os.environ.get("DATASET")
    )
    data_dir = os.environ.get("DATA_DIR")
    dataset = inputs.find_data(config, pathlib.Path(data_dir) if data_dir else None)
    out = os.environ.get("OUT") or running.default_out(config, dataset)
    try:
        running.run(config, dataset, out=pathlib.Path(out))
    except lock.Busy as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
