"""Which version answers, while versions come, go and fail."""

import re

import pytest

from pipeline.serving.errors import RequestError
from pipeline.serving.model_store import ModelStore


class _Loaded:
    def __init__(self, version):
        self.version = version


class _Folder:
    """A folder of versions, of which `broken` cannot be loaded."""

    def __init__(self, *versions, broken=(), keep=2):
        self.versions, self.broken = list(versions), set(broken)
        self.tried, self.events = [], []
        self.store = ModelStore(
            list_versions=lambda: self.versions,
            load=self._load,
            keep=keep,
            poll_s=0.01,
            observe=lambda *event: self.events.append(event),
        )

    def _load(self, version):
        self.tried.append(version)
        if version in self.broken:
            raise ValueError("broken")
        return _Loaded(version)

    def loaded(self):
        self.store.refresh()
        return [model.version for model in self.store.models]


def test_the_highest_is_the_current_one_and_is_loaded_alone():
    folder = _Folder(9, 10, 2)
    assert folder.loaded() == [10]
    assert folder.tried == [10]
    assert folder.loaded() == [10]
    assert folder.tried == [10]


def test_a_new_one_takes_over_and_the_last_ones_stay():
    folder = _Folder(1)
    folder.loaded()
    folder.versions.append(2)
    assert folder.loaded() == [2, 1]
    folder.versions.append(3)
    assert folder.loaded() == [3, 2]
    assert folder.events[-2:] == [("loaded", 3), ("current", 3)]


def test_keeps_a_single_one_if_told():
    folder = _Folder(1, keep=1)
    folder.loaded()
    folder.versions.append(2)
    assert folder.loaded() == [2]


def test_what_is_deleted_goes_back_without_loading_again():
    folder = _Folder(1)
    folder.loaded()
    folder.versions.append(2)
    folder.loaded()
    folder.versions.remove(2)
    assert folder.loaded() == [1]
    assert folder.tried == [1, 2]


def test_a_broken_one_is_tried_once_and_passed_over():
    folder = _Folder(1, broken=[2])
    folder.loaded()
    folder.versions.append(2)
    assert folder.loaded() == [1]
    assert folder.loaded() == [1]
    assert folder.tried == [1, 2]
    assert folder.events.count(("failed", 2)) == 1


def test_a_number_that_was_removed_and_came_again_is_tried_again():
    folder = _Folder(1, 2, broken=[2])
    assert folder.loaded() == [1]
    folder.versions, folder.broken = [1], set()
    folder.loaded()
    folder.versions.append(2)
    assert folder.loaded() == [2, 1]


def test_an_empty_folder_leaves_what_is_in_memory():
    folder = _Folder(1)
    folder.loaded()
    folder.versions = []
    assert folder.loaded() == [1]


def test_nothing_yet_and_a_version_that_is_not_there():
    folder = _Folder()
    assert folder.loaded() == []
    with pytest.raises(RequestError, match="No version is loaded yet") as raised:
        _ = folder.store.current
    assert raised.value.status == 503
    folder.versions = [5]
    folder.loaded()
    assert folder.store.get(5).version == 5
    with pytest.raises(RequestError, match=re.escape("4 is not loaded; [5] are")):
        folder.store.get(4)
