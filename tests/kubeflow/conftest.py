"""Puts this folder on the path: a package `kubeflow` here would hide the SDK's."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
