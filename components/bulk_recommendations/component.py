"""BulkRecommendations: writes the lists of all users when a model was pushed."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.bulk_recommendations import executor, spec


class BulkRecommendations(base_component.BaseComponent):
    """Asks a pushed model for recommendations to all its users, on Beam.

    Example:
        bulk = BulkRecommendations(
            model=trainer.outputs["model"],
            pushed_model=pusher.outputs["pushed_model"],
            k=100,
        )

    Outputs:
        lists: `InferenceResult`, Parquet files with `user_id`, `rank`, `item_id`,
            `score` and `title`, and the properties `num_rows` and `version`. If the
            model was not pushed, there is no file, but `not_written_because`.
    """

    SPEC_CLASS = spec.BulkRecommendationsSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        pushed_model: types.BaseChannel,
        k: int,
        titles: str = "",
        titles_digest: str = "",
    ) -> None:
        """Wires the node.

        Args:
            model: `Model` channel, the model that is asked.
            pushed_model: `PushedModel` channel, which says whether it was pushed.
            k: items per user, >= 1.
            titles: a CSV of `item_id,title`, which need not exist; "" for none.
            titles_digest: the digest of the titles' content; if the digest changes, the
                lists are written anew.

        Raises:
            ValueError: `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"`k` must be >= 1; got {k}.")
        super().__init__(
            spec=spec.BulkRecommendationsSpec(
                model=model,
                pushed_model=pushed_model,
                k=k,
                titles=titles,
                titles_digest=titles_digest,
                lists=types.Channel(type=standard_artifacts.InferenceResult),
            )
        )
