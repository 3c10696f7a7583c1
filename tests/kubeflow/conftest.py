"""The folder has no package of its own: `kubeflow` is the name of the SDK's."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
