"""What commands for clusters share."""

import warnings

from pipeline.cluster import options


def test_commands_are_quiet_about_versions_and_nothing_else():
    aged = "You are using a non-supported Python version (3.10.13). Google will not"
    locked = "Support for google-cloud-storage < 3.0.0 will be removed in a future"
    with warnings.catch_warnings(record=True) as found:
        # Whatever filters the tests are run with.
        warnings.simplefilter("always")
        with options.failures():
            warnings.warn(aged, FutureWarning, stacklevel=1)
            warnings.warn(locked, FutureWarning, stacklevel=1)
            warnings.warn("another matter", FutureWarning, stacklevel=1)
    assert [str(one.message) for one in found] == ["another matter"]
