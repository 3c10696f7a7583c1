"""NegativeSampling: splits each user's interactions and draws unseen items."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts

from components.negative_sampling import executor, spec
from ncf_model.config import SamplingConfig


class NegativeSampling(base_beam_component.BaseBeamComponent):
    """Turns transformed interactions into training rows and evaluation lists.

    Example:
        sampling = NegativeSampling(
            examples=transform.outputs["transformed_examples"],
            transform_graph=transform.outputs["transform_graph"],
            sampling=SamplingConfig(eval_negatives=99),
            epochs=20,
            refit=True,
            seed=42,
        )

    Outputs:
        examples: `Examples` with the splits `train`, `validation` and `eval`, and
            `held_out_users` if the configuration holds users out. Its custom
            properties say how many users, rows and lists there are.
    """

    SPEC_CLASS = spec.NegativeSamplingSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        sampling: SamplingConfig,
        epochs: int,
        refit: bool,
        seed: int,
    ) -> None:
        """Wires the component.

        Args:
            examples: `Examples` of Transform, split `interactions`.
            transform_graph: `TransformGraph` of the same Transform.
            sampling: what is held out, and how many negatives are drawn and how.
            epochs: for how many epochs to write negatives, in the mode `materialised`.
            refit: whether to write negatives for the refit, too, in that mode.
            seed: of every draw, in [0, 2**63).

        Raises:
            ValueError: `epochs` or `seed` is out of range.
        """
        if epochs < 1:
            raise ValueError(f"`epochs` must be 1 or more; got {epochs}.")
        if not 0 <= seed < 1 << 63:
            raise ValueError(f"`seed` must be in [0, 2**63); got {seed}.")
        materialised = sampling.mode == "materialised"
        super().__init__(
            spec=spec.NegativeSamplingSpec(
                transformed_examples=examples,
                transform_graph=transform_graph,
                sampling=sampling.model_dump_json(),
                # Streaming needs neither value: a constant keeps a cached result valid.
                epochs=epochs if materialised else 0,
                refit=int(refit and materialised),
                seed=seed,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
