"""Finds the models that a new one has to measure up to."""

import os
from collections.abc import Collection, Mapping

from tfx import types
from tfx.dsl.components.common import resolver
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from ncf_model import features
from ncf_model.serving import versions

# Written by TFX's Evaluator; `tfx.components.evaluator.constants` has them too, but
# importing it imports every component there is.
BLESSED_KEY = "blessed"
CURRENT_MODEL_ID_KEY = "current_model_id"

MODEL_KEY = "model"
BLESSING_KEY = "model_blessing"
CANDIDATE_KEY = "candidate"
BEST_MODEL_KEY = "best_model"
BEST_BLESSING_KEY = "best_blessing"
LEVEL_KEY = "level"


def can_be_loaded(model: types.Artifact) -> bool:
    """Returns whether the model's files are still there."""
    path = path_utils.serving_model_path(model.uri)
    return bool(fileio.exists(os.path.join(path, "saved_model.pb")))


class LatestOtherBlessedModel(resolver.ResolverStrategy):
    """Resolves the model in service, and the best others blessed so far.

    That is the model of the newest version in the serving folder: also after a
    rollback, or if a later one was blessed and never pushed. If that is the candidate,
    it is the one that the candidate was judged against before it was pushed; if that is
    gone, the newest other version. A model that was taken back counts for none. Where
    the folder has no records, it is the model blessed last: by the blessing, not by the
    model, since an older model that was judged again is the one to beat.

    The best go by the level noted on a blessing by ExplainingEvaluator, the sum of the
    paired differences from model to model. Where data change, levels are chained, so
    that a few are returned and BlessedRanks finds the best of them on the lists of the
    run. The candidate itself, a model that was taken back and one whose files are gone
    are neither.

    TFX's `LatestBlessedModelStrategy` returns the candidate when a second identical run
    finds it trained and blessed already: the Evaluator would then run again, and judge
    the model against itself. Here the second run resolves what the first one did, so
    the Evaluator's result is found in the cache.

    Example:
        baseline = resolver.Resolver(
            strategy_class=LatestOtherBlessedModel,
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
            best_model=Channel(type=Model),
            best_blessing=Channel(type=ModelBlessing),
            candidate=trainer.outputs["model"],
        ).with_id("baseline_model")
        ranks = BlessedRanks(
            ...,
            baseline_model=baseline.outputs["model"],
            best_model=baseline.outputs["best_model"],
        )
    """

    def __init__(self, serving: str = "") -> None:
        """Keeps the serving folder to look into; without one only metadata count."""
        self._serving = serving

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns at most one latest model and the best others, with their blessings.

        Args:
            store: not used.
            input_dict: `model` and `model_blessing`, all there are, and `candidate`,
                which is passed on unchanged. `best_model` and `best_blessing` only say
                that these are asked for.
        """
        candidates = {
            artifact.id: artifact.uri for artifact in input_dict[CANDIDATE_KEY]
        }
        pushed = _Pushed(self._serving)
        others = {
            artifact.id: artifact
            for artifact in input_dict[MODEL_KEY]
            if artifact.id not in candidates
            and artifact.uri not in pushed.taken_back
            and can_be_loaded(artifact)
        }
        blessed = {
            blessing: others[number]
            for blessing in sorted(input_dict[BLESSING_KEY], key=lambda b: b.id)
            if blessing.get_int_custom_property(BLESSED_KEY) == 1
            and (number := blessing.get_int_custom_property(CURRENT_MODEL_ID_KEY))
            in others
        }
        uris = {blessing: model.uri for blessing, model in blessed.items()}
        last = pushed.to_beat(uris, candidates.values())
        latest = {blessed[blessing].id for blessing in last}
        best = _best({b: m.id for b, m in blessed.items() if m.id not in latest})
        found = {
            MODEL_KEY: [blessed[blessing] for blessing in last],
            BLESSING_KEY: last,
            BEST_MODEL_KEY: [blessed[blessing] for blessing in best],
            BEST_BLESSING_KEY: best,
            CANDIDATE_KEY: input_dict[CANDIDATE_KEY],
        }
        return {key: found[key] for key in input_dict}


class _Pushed:
    """What the serving folder's records say of models; these go by their URI.

    Attributes:
        taken_back: those that a rollback took from service.
    """

    def __init__(self, serving: str) -> None:
        """Looks into the folder; without one nothing is known."""
        found = versions.look(serving).versions if serving else ()
        self.taken_back: set[str] = set()
        self._newest = found[0].record if found else {}
        self._numbers = {
            str(version.record["model_uri"]): version.number
            for version in reversed(found)
            if "model_uri" in version.record
        }
        if serving:
            withdrawn = versions.withdrawn(serving)
            self.taken_back = {
                str(record.get("model_uri"))
                for record in versions.records(serving).values()
                if record["digest"] in withdrawn
            }

    def to_beat(
        self, blessed: Mapping[types.Artifact, str], candidates: Collection[str]
    ) -> list[types.Artifact]:
        """Returns at most one blessing: of the model that the candidate has to beat.

        Args:
            blessed: blessing -> its model, in the order of blessing.
            candidates: the candidate, which is none of these models.
        """
        if self._newest.get("model_uri") in candidates and "blessing" in self._newest:
            before = self._newest["blessing"].get("baseline_model")
            same = [item for item, model in blessed.items() if model == before]
            if same or before is None:
                return same[-1:]
        if not self._numbers:
            return list(blessed)[-1:]
        # Blessed and never pushed, as after a full disk, it is in nobody's service.
        served = [item for item, model in blessed.items() if model in self._numbers]
        return sorted(served, key=lambda item: self._numbers[blessed[item]])[-1:]


def _best(blessed: Mapping[types.Artifact, int]) -> list[types.Artifact]:
    """Returns a blessing of each of the best models, the highest level first.

    Of equal levels the later one comes first. A blessing of an earlier release has no
    level, and is none of the best.

    Args:
        blessed: blessing -> the id of its model, in the order of blessing.
    """
    last = {model: blessing for blessing, model in blessed.items()}
    levels = {
        blessing: float(text)
        for blessing in last.values()
        if (text := blessing.get_string_custom_property(LEVEL_KEY))
    }
    ranked = sorted(levels, key=lambda b: (levels[b], b.id), reverse=True)
    return ranked[: features.MOST_BEST]
