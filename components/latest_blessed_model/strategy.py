"""Finds the model that a new one has to measure up to."""

from tfx import types
from tfx.dsl.components.common import resolver

# Written by TFX's Evaluator; `tfx.components.evaluator.constants` has them too, but
# importing it imports every component there is.
BLESSED_KEY = "blessed"
CURRENT_MODEL_ID_KEY = "current_model_id"

MODEL_KEY = "model"
BLESSING_KEY = "model_blessing"
CANDIDATE_KEY = "candidate"


class LatestOtherBlessedModel(resolver.ResolverStrategy):
    """Resolves the model blessed last, other than the candidate itself.

    TFX's `LatestBlessedModelStrategy` returns the candidate when a second identical run
    finds it trained and blessed already: the Evaluator would then run again, and judge
    the model against itself. Here the second run resolves what the first one did, so
    the Evaluator's result is found in the cache.

    "Last" goes by the blessing, not by the model: an older model that was judged again
    and pushed again is the one to beat.

    Example:
        baseline = resolver.Resolver(
            strategy_class=LatestOtherBlessedModel,
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
            candidate=trainer.outputs["model"],
        ).with_id("baseline_model")
        evaluator = Evaluator(..., baseline_model=baseline.outputs["model"])
    """

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns at most one model with its blessing; none is not an error.

        Args:
            store: not used.
            input_dict: `model` and `model_blessing`, all there are, and `candidate`,
                which is passed on unchanged.
        """
        candidates = {artifact.id for artifact in input_dict[CANDIDATE_KEY]}
        others = {
            artifact.id: artifact
            for artifact in input_dict[MODEL_KEY]
            if artifact.id not in candidates
        }
        blessings = [
            blessing
            for blessing in input_dict[BLESSING_KEY]
            if blessing.get_int_custom_property(BLESSED_KEY) == 1
            and blessing.get_int_custom_property(CURRENT_MODEL_ID_KEY) in others
        ]
        last = sorted(blessings, key=lambda blessing: blessing.id)[-1:]
        return {
            MODEL_KEY: [
                others[blessing.get_int_custom_property(CURRENT_MODEL_ID_KEY)]
                for blessing in last
            ],
            BLESSING_KEY: last,
            CANDIDATE_KEY: input_dict[CANDIDATE_KEY],
        }
