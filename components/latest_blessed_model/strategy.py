"""Finds the model that a new one has to measure up to."""

from tfx import types
from tfx.dsl.components.common import resolver

from ncf_model.serving import versions

# Written by TFX's Evaluator; `tfx.components.evaluator.constants` has them too, but
# importing it imports every component there is.
BLESSED_KEY = "blessed"
CURRENT_MODEL_ID_KEY = "current_model_id"

MODEL_KEY = "model"
BLESSING_KEY = "model_blessing"
CANDIDATE_KEY = "candidate"


class LatestOtherBlessedModel(resolver.ResolverStrategy):
    """Resolves the model in service; the candidate itself counts for none.

    That is the model of the newest version in the serving folder that is not the
    candidate's: also after a rollback, or if a later one was blessed and never pushed.
    A model that was taken back counts for none. Where the folder has no records, it is
    the model blessed last: by the blessing, not by the model, since an older model that
    was judged again is the one to beat.

    TFX's `LatestBlessedModelStrategy` returns the candidate when a second identical run
    finds it trained and blessed already: the Evaluator would then run again, and judge
    the model against itself. Here the second run resolves what the first one did, so
    the Evaluator's result is found in the cache.

    Example:
        baseline = resolver.Resolver(
            strategy_class=LatestOtherBlessedModel,
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
            candidate=trainer.outputs["model"],
        ).with_id("baseline_model")
        evaluator = Evaluator(..., baseline_model=baseline.outputs["model"])
    """

    def __init__(self, serving: str = "") -> None:
        """Keeps the serving folder to look into; without one only metadata count."""
        self._serving = serving

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
        numbers, taken_back = self._pushed()
        others = {
            artifact.id: artifact
            for artifact in input_dict[MODEL_KEY]
            if artifact.id not in candidates and artifact.uri not in taken_back
        }

        def model(blessing: types.Artifact) -> types.Artifact | None:
            return others.get(blessing.get_int_custom_property(CURRENT_MODEL_ID_KEY))

        def order(blessing: types.Artifact) -> tuple[int, int]:
            found = model(blessing)
            return numbers.get(found.uri, 0) if found else 0, blessing.id

        blessings = [
            blessing
            for blessing in input_dict[BLESSING_KEY]
            if blessing.get_int_custom_property(BLESSED_KEY) == 1 and model(blessing)
        ]
        # Blessed and never pushed, as after a full disk, it is in nobody's service.
        pushed = [blessing for blessing in blessings if order(blessing)[0]]
        last = sorted(pushed if numbers else blessings, key=order)[-1:]
        return {
            MODEL_KEY: [found for blessing in last if (found := model(blessing))],
            BLESSING_KEY: last,
            CANDIDATE_KEY: input_dict[CANDIDATE_KEY],
        }

    def _pushed(self) -> tuple[dict[str, int], set[str]]:
        """Returns the version of each model in the folder, and which were taken back.

        Models go by their URI.
        """
        if not self._serving:
            return {}, set()
        found = versions.look(self._serving).versions
        numbers = {
            str(version.record["model_uri"]): version.number
            for version in reversed(found)
            if "model_uri" in version.record
        }
        withdrawn = versions.withdrawn(self._serving)
        taken_back = {
            str(record.get("model_uri"))
            for record in versions.records(self._serving).values()
            if record["digest"] in withdrawn
        }
        return numbers, taken_back
