"""Evaluates a served model on interactions since its training; needs no TFX."""

import os

from components.interactions_example_gen.config import ReadingConfig
from ncf_model.evaluation.served_result import Served
from ncf_model.serving.version_record import VersionRecord
from pipeline import start_up
from pipeline.offline import indexed


def evaluate(
    model: str,
    path: str,
    reading: ReadingConfig,
    *,
    pattern: str = "*",
    negatives: int = 99,
    seed: int = 20240601,
) -> Served:
    """Returns how well the model foresaw the interactions in a file or folder.

    Args:
        model: folder of a SavedModel.
        path: a file or folder of interactions.
        reading: how the interactions are read.
        pattern: of the files in the folder.
        negatives: other items in a list.
        seed: of the draw of `negatives`.

    Raises:
        ValueError: the data cannot be read, or nothing in it is new.
    """
    # TensorFlow logs little if it is imported in this way before other modules do so.
    start_up.import_tensorflow()
    from ncf_model.evaluation import served_model

    found = indexed.read(path, reading, pattern=pattern)
    items, times = found.users.items, found.users.timestamps
    people = [
        served_model.Person(
            user,
            [found.item_ids[i] for i in items.values[start:end]],
            times[start:end].tolist(),
        )
        for user, start, end in zip(
            found.users.user_ids, items.offsets, items.offsets[1:], strict=False
        )
    ]
    try:
        return served_model.evaluate(
            model,
            people,
            negatives=negatives,
            seed=seed,
            has_times=found.has_times,
        )
    except served_model.NothingNewError as error:
        raise ValueError(f"Nothing in {path} is new to the model. {error}") from None


def folder_of(serving: str, version: str) -> tuple[str, VersionRecord]:
    """Returns the folder of a model, and the record of its push.

    Args:
        serving: the serving folder.
        version: a number in it, `latest`, or the path of a SavedModel.

    Raises:
        ValueError: there is no such version.
    """
    from ncf_model.serving import versions

    found = versions.look(serving).versions if serving else ()
    for one in found:
        if version in ("latest", str(one.number)):
            return one.path, one.record
    if os.path.exists(os.path.join(version, "saved_model.pb")):
        return version, VersionRecord()
    raise ValueError(
        f"`--model` must be a version in {serving or 'the serving folder'}, `latest` "
        f"or the folder of a SavedModel; got {version!r}. There are "
        f"{[one.number for one in found]}."
    )
