"""Copies the latest and the best version of the serving folder, and names others."""

import json
from collections.abc import Sequence
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.latest_pushed_model import spec
from ncf_model import features
from ncf_model.serving import folders, versions
from ncf_model.serving.version_record import assumed_level


class Executor(base_executor.BaseExecutor):
    """All input and output; `versions` decides which folders are versions."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies both models; the output of a model that does not exist stays empty."""
        candidate = artifact_utils.get_single_instance(input_dict[spec.CANDIDATE_KEY])
        serving = exec_properties[spec.SERVING_KEY]
        found = others(serving, path_utils.serving_model_path(candidate.uri))
        if not found:
            logging.info("No other model was pushed to %s yet.", serving)
        best = best_of(found)
        for key, these in zip(spec.MODEL_KEYS, (found, best), strict=True):
            if these:
                model = artifact_utils.get_single_instance(output_dict[key])
                _copy(these[0], model, _level(these[0], found))
                logging.info("%s is %s.", key, these[0].path)
        if best[1:]:
            _name(best[1:], model)


def _level(
    version: versions.Version, found: Sequence[versions.Version]
) -> float | None:
    """Returns the version's level; a version put there by hand gets `assumed_level`."""
    by_hand = version.record.blessing is None
    return assumed_level(v.record for v in found) if by_hand else version.record.level


def _copy(
    version: versions.Version, model: types.Artifact, level: float | None
) -> None:
    io_utils.copy_dir(version.path, path_utils.serving_model_dir(model.uri))
    model.set_string_custom_property(spec.VERSION_PROPERTY, str(version.number))
    if level is not None:
        model.set_string_custom_property(spec.LEVEL_PROPERTY, repr(level))


def _name(more: Sequence[versions.Version], model: types.Artifact) -> None:
    """Notes on a model which other versions may be as good."""
    level = spec.LEVEL_PROPERTY
    told = [{"id": v.number, "uri": v.path, level: v.record.level} for v in more]
    model.set_string_custom_property(features.MORE_BEST_PROPERTY, json.dumps(told))


def others(serving: str, candidate: str) -> list[versions.Version]:
    """Returns the whole versions that are not the candidate, the newest first.

    Versions whose model a rollback took back are left out.

    Args:
        serving: the serving folder; it need not exist.
        candidate: folder of the candidate's SavedModel.
    """
    out = {folders.digest(candidate), *versions.withdrawn(serving)}
    found = versions.look(serving).versions
    return [version for version in found if versions.digest_of(version) not in out]


def best_of(found: Sequence[versions.Version]) -> list[versions.Version]:
    """Returns the best of all versions but the first, the highest level first.

    Of equal levels the newer version comes first. Versions whose level was not measured
    are left out, and of versions of the same model only the newest counts.

    Args:
        found: versions, the newest first.
    """
    distinct = {v.record.digest: v for v in reversed(found)}
    known = [
        (level, version)
        for version in found[1:]
        if (level := version.record.measured_level) is not None
        and distinct[version.record.digest] is version
    ]
    ranked = sorted(known, key=lambda pair: pair[0], reverse=True)  # Stable.
    return [version for _, version in ranked[: features.MOST_BEST]]
