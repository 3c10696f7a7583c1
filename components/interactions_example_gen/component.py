"""InteractionsExampleGen: reads interactions and writes one Example per user."""

import glob
import os

from tfx.components.example_gen import component
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.interactions_example_gen import driver, executor, files, span_marks
from components.interactions_example_gen.config import (
    DriftConfig,
    ReadingConfig,
    SpansConfig,
)
from ncf_model import features


class InteractionsExampleGen(component.FileBasedExampleGen):
    """Groups a table of (user, item, [rating], [time]) by user.

    Example:
        example_gen = InteractionsExampleGen(
            "data/ml-100k/u.data", reading=ReadingConfig(min_interactions=20)
        )

    Outputs:
        examples: `Examples` with the split `interactions`; see `ncf_model.features`
            for the features, `report.COUNTS` for the custom properties.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        input_base: str,
        *,
        reading: ReadingConfig,
        pattern: str = "*",
        spans: SpansConfig | None = None,
        drift: DriftConfig | None = None,
    ) -> None:
        """Wires the node, without opening a file; see `reading.check_input`.

        Args:
            input_base: a file, a folder of files, or a path with marks for spans.
            reading: how to read the files, and which interactions to keep.
            pattern: glob inside the folder; ignored where `input_base` is a file.
            spans: which spans to read, where the path has marks, or may get one with
                marks at run time; None is the default.
            drift: how far the newest span may be from those before it; None does not
                compare them.

        Raises:
            ValueError: the folder's path has a character that would be taken for a
                pattern.
        """
        given = {executor.SPANS: spans, executor.DRIFT: drift}
        extra = {k: v.model_dump(mode="json") for k, v in given.items() if v}
        if span_marks.has_marks(input_base):
            input_base, pattern = span_marks.split(input_base)
        elif files.is_interactions_file(input_base) and not os.path.isdir(input_base):
            input_base, name = os.path.split(input_base)
            pattern = glob.escape(name)
        if glob.has_magic(input_base):
            raise ValueError(
                "The folder of the input must have none of `*?[` in its path; got "
                f"{input_base!r}. Rename it, or move the file."
            )
        split = example_gen_pb2.Input.Split(
            name=features.INTERACTIONS_SPLIT, pattern=pattern
        )
        super().__init__(
            input_base=input_base or os.curdir,
            input_config=example_gen_pb2.Input(splits=[split]),
            # Without output splits the one split of the input is written, without
            # hashing.
            output_config=example_gen_pb2.Output(),
            custom_config=executor.pack_config(reading, extra),
        )
