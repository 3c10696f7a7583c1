"""Imports of large packages, in less time than a plain import statement takes."""

import contextlib
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

# TensorFlow imports these packages if installed; a pushed model needs none of them.
# Keras takes a quarter of the import's time; whoever trains can import it later.
_OPTIONAL = (
    "IPython",
    "PIL",
    "dill",
    "googleapiclient",
    "h5py",
    "keras",
    "matplotlib",
    "pandas",
    "scipy",
    "sklearn",
)


@contextlib.contextmanager
def first_import(package: str) -> Iterator[None]:
    """Switches garbage collection off while a package is imported for the first time.

    Imported modules live to the end of the process. Collecting while they are imported
    takes a quarter of TFX's import time and a fifth of TensorFlow's, and each later
    full collection takes half a second; so the objects created meanwhile are exempt
    from later collections, too. If `package` is imported already, nothing changes.

    Args:
        package: the name of the package that the `with` block imports, such as "tfx".
    """
    if package in sys.modules:
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def import_tensorflow() -> Any:
    """Imports TensorFlow quietly, in a third of the usual time; returns it."""
    if "tensorflow" in sys.modules:
        # Nothing is hidden from other threads, which may be importing some of it.
        import tensorflow

        return tensorflow
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.ExitStack() as stack:
        stack.enter_context(first_import("tensorflow"))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for name in _OPTIONAL:
            if name not in sys.modules:
                # With None the import fails, which TensorFlow and Keras expect.
                sys.modules[name] = None  # type: ignore[assignment]
                stack.callback(sys.modules.pop, name)
        import tensorflow
    return tensorflow


@contextlib.contextmanager
def quiet_about_versions() -> Iterator[None]:
    """Hides warnings that Google's packages will not support other versions for ever.

    They are about Python 3.10, which is the older line's, and about the locked version
    of google-cloud-storage; users cannot change either. Each of four packages warns
    when it is imported.
    """
    with warnings.catch_warnings():
        for about in (".*non-supported Python version", "Support for google-cloud-"):
            warnings.filterwarnings("ignore", message=about, category=FutureWarning)
        yield
