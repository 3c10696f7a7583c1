"""Finds the model whose tables a training begins with."""

from tfx import types
from tfx.dsl.components.common import resolver

from components.latest_blessed_model import strategy
from ncf_model.serving import versions

EXAMPLES_KEY = "examples"
_INPUT, _OUTPUT = 3, 4  # Values of ml_metadata's Event.Type.


class LatestServedModel(resolver.ResolverStrategy):
    """Resolves the model of the newest version that was trained on other data.

    Because the data must be others, a second run of the same night begins with the same
    model as the first. So its result is found in the cache, and no model trains twice
    on the same data. If there is no such version, no model is resolved, and the
    training begins with random numbers. A model that a rollback took back is left out.

    Of a model that was entered from the serving folder, ML Metadata does not know the
    data, and the model is resolved. Trainer, which reads what the model itself keeps of
    them, then begins with random numbers if they are all of this run's.

    Example:
        base = resolver.Resolver(
            strategy_class=LatestServedModel,
            config={"serving": "runs/ncf/serving"},
            model=Channel(type=Model),
            examples=sampling.outputs["examples"],
        ).with_id("WarmStartModel")
        trainer = Trainer(..., base_model=base.outputs["model"])
    """

    def __init__(self, serving: str) -> None:
        """Keeps the serving folder, whose records name the pushed models."""
        self._serving = serving

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns at most one model.

        Args:
            store: ML Metadata, which knows what a model was trained on.
            input_dict: all artifacts `model`, and `examples`, the data of this run,
                which are passed on.
        """
        models = {model.uri: model for model in input_dict[strategy.MODEL_KEY]}
        examples = input_dict[EXAMPLES_KEY]
        now = {artifact.id for artifact in examples}
        found: list[types.Artifact] = []
        for version in versions.look(self._serving).versions:
            model = models.get(str(version.record.model_uri))
            if model is None or not strategy.can_be_loaded(model):
                continue
            if not now & trained_on(store, model.id):
                found = [model]
                break
        return {strategy.MODEL_KEY: found, EXAMPLES_KEY: examples}


def trained_on(store: object, model: int) -> set[int]:
    """Returns the ids of the artifacts that a model was made from."""
    events = store.get_events_by_artifact_ids([model])  # type: ignore[attr-defined]
    made = [event.execution_id for event in events if event.type == _OUTPUT]
    if not made:
        return set()
    used = store.get_events_by_execution_ids(made)  # type: ignore[attr-defined]
    return {event.artifact_id for event in used if event.type == _INPUT}
