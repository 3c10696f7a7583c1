"""Finds the blessed models that a new model is compared with."""

import os
from collections.abc import Collection, Mapping

from tfx import types
from tfx.dsl.components.common import resolver
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from ncf_model import features
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord

# Properties that TFX's Evaluator writes. `tfx.components.evaluator.constants` has these
# names, but importing it imports every component of TFX.
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

    The model in service is that of the newest version in the serving folder, also after
    a rollback, or if a later model was blessed and never pushed. If the newest version
    is the candidate itself, the strategy resolves the model that the candidate was
    compared with before its push or, if that model is gone, the newest other version.
    Where the serving folder has no records, the strategy resolves the model with the
    latest blessing, even if a newer model exists.

    The best models are those with the highest levels, which ExplainingEvaluator notes
    on a blessing: sums of paired differences from model to model. As levels are chained
    over changing data, several models are returned, and BlessedRanks finds the best of
    them on the lists of the run.

    Never resolved are the candidate itself, a model that a rollback took back, and a
    model whose files are gone.

    TFX's `LatestBlessedModelStrategy` returns the candidate when a second identical run
    finds the candidate trained and blessed already. The Evaluator would then run again
    and compare the model with itself. Here the second run resolves the same models as
    the first, so the Evaluator's result is found in the cache.

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
        """Keeps the serving folder; with "" only ML Metadata is looked at."""
        self._serving = serving

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns at most one latest model and the best others, with their blessings.

        Args:
            store: not used.
            input_dict: all artifacts `model` and `model_blessing`, and `candidate`,
                which is passed on unchanged. The keys `best_model` and `best_blessing`
                only say that the best models are asked for.
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
    """What the records of the serving folder say of models, which are named by URI.

    Attributes:
        taken_back: URIs of models that a rollback took from service.
    """

    def __init__(self, serving: str) -> None:
        """Reads the records of the folder `serving`; "" has none."""
        found = versions.look(serving).versions if serving else ()
        self.taken_back: set[str] = set()
        self._newest = found[0].record if found else VersionRecord()
        self._numbers = {
            version.record.model_uri: version.number
            for version in reversed(found)
            if version.record.model_uri is not None
        }
        if serving:
            withdrawn = versions.withdrawn(serving)
            self.taken_back = {
                str(record.model_uri)
                for record in versions.records(serving).values()
                if record.digest in withdrawn
            }

    def to_beat(
        self, blessed: Mapping[types.Artifact, str], candidates: Collection[str]
    ) -> list[types.Artifact]:
        """Returns at most one blessing: of the model that the candidate has to beat.

        Args:
            blessed: blessing -> the blessed model, in the order of blessing.
            candidates: the candidate, which is not in `blessed`.
        """
        blessing = self._newest.blessing
        if self._newest.model_uri in candidates and blessing is not None:
            before = blessing.get("baseline_model")
            same = [item for item, model in blessed.items() if model == before]
            if same or before is None:
                return same[-1:]
        if not self._numbers:
            return list(blessed)[-1:]
        # A model that was blessed and never pushed, as after a full disk, is not
        # served.
        served = [item for item, model in blessed.items() if model in self._numbers]
        return sorted(served, key=lambda item: self._numbers[blessed[item]])[-1:]


def _best(blessed: Mapping[types.Artifact, int]) -> list[types.Artifact]:
    """Returns a blessing of each of the best models, the highest level first.

    Of equal levels the later blessing comes first, after those that were measured. Of
    models that were put into the serving folder by hand, whose level is assumed, the
    last one counts. Blessings of earlier releases have no level, and are left out.

    Args:
        blessed: blessing -> the id of its model, in the order of blessing.
    """
    last = {model: blessing for blessing, model in blessed.items()}
    levels = {
        blessing: float(text)
        for blessing in last.values()
        if (text := blessing.get_string_custom_property(LEVEL_KEY))
    }
    assumed = sorted((b for b in levels if _is_assumed(b)), key=lambda b: b.id)
    for blessing in assumed[:-1]:
        del levels[blessing]
    ranked = sorted(
        levels, key=lambda b: (levels[b], not _is_assumed(b), b.id), reverse=True
    )
    return ranked[: features.MOST_BEST]


def _is_assumed(blessing: types.Artifact) -> bool:
    return bool(blessing.get_int_custom_property(features.ASSUMED_LEVEL_PROPERTY))
