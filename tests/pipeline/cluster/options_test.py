"""What commands for clusters share."""

import warnings

from pipeline.cluster import options


def test_imports_are_quiet_about_pythons_age_and_nothing_else():
    aged = "You are using a non-supported Python version (3.10.13). Google will not"
    with warnings.catch_warnings(record=True) as found, options.quiet_imports():
        warnings.warn(aged, FutureWarning, stacklevel=1)
        warnings.warn("another matter", FutureWarning, stacklevel=1)
    assert [str(one.message) for one in found] == ["another matter"]
