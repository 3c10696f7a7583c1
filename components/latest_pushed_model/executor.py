"""Looks into Pusher's folder, copies the latest version and the best."""

from collections.abc import Sequence
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.latest_pushed_model import spec
from ncf_model.serving import folders, versions


class Executor(base_executor.BaseExecutor):
    """All input and output; which folder is a version `versions` decides."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies both models; leaves the output of one that there is not empty."""
        candidate = artifact_utils.get_single_instance(input_dict[spec.CANDIDATE_KEY])
        serving = exec_properties[spec.SERVING_KEY]
        found = others(serving, path_utils.serving_model_path(candidate.uri))
        if not found:
            logging.info("No other model was pushed to %s yet.", serving)
        for key, version in zip(spec.MODEL_KEYS, latest_and_best(found), strict=True):
            if version is not None:
                model = artifact_utils.get_single_instance(output_dict[key])
                _copy(version, model)
                logging.info("%s is %s.", key, version.path)


def _copy(version: versions.Version, model: types.Artifact) -> None:
    io_utils.copy_dir(version.path, path_utils.serving_model_dir(model.uri))
    model.set_string_custom_property(spec.VERSION_PROPERTY, str(version.number))
    level = _level(version)
    if level is not None:
        model.set_string_custom_property(spec.LEVEL_PROPERTY, repr(level))


def others(serving: str, candidate: str) -> list[versions.Version]:
    """Returns the whole versions that are not the candidate, the newest first.

    Nor are models that a rollback took back among them: they count for none.

    Args:
        serving: Pusher's folder; it need not exist.
        candidate: folder of the candidate's SavedModel.
    """
    out = {folders.digest(candidate), *versions.withdrawn(serving)}
    found = versions.look(serving).versions
    return [version for version in found if versions.digest_of(version) not in out]


def latest_and_best(
    found: Sequence[versions.Version],
) -> tuple[versions.Version | None, versions.Version | None]:
    """Returns the first, and that of the highest level where it is another.

    Of equal levels the newest is the best; a version without a level is not.

    Args:
        found: the newest first.
    """
    latest = found[0] if found else None
    levels = [(version, _level(version)) for version in found]
    known = [(version, level) for version, level in levels if level is not None]
    best = max(known, key=lambda pair: pair[1])[0] if known else None
    return latest, None if best is latest else best


def _level(version: versions.Version) -> float | None:
    """Returns the level noted with the blessing that the version was pushed by."""
    text = version.record.get("blessing", {}).get(spec.LEVEL_PROPERTY)
    return float(text) if text not in (None, "") else None
