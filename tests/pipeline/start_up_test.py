"""What the collector of garbage does while a package is imported."""

import gc

import pytest

from pipeline import start_up


@pytest.fixture(autouse=True)
def _as_before():
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_looked_for_meanwhile_nor_looked_at_later():
    frozen = gc.get_freeze_count()
    with start_up.first_import("a_package_nobody_has"):
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen


def test_it_stays_off_where_it_was_off():
    gc.disable()
    with start_up.first_import("a_package_nobody_has"):
        pass
    assert not gc.isenabled()


def test_a_package_that_is_there_changes_nothing():
    # Else each run of one process would keep the garbage of the run before for good.
    frozen = gc.get_freeze_count()
    with start_up.first_import("gc"):
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_it_is_on_again_after_an_import_that_failed():
    with pytest.raises(ImportError), start_up.first_import("a_package_nobody_has"):
        raise ImportError
    assert gc.isenabled()
