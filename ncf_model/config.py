"""What to train: the typed, validated hyperparameters of NeuMF.

`pipeline.config` says on what data and where to train.
"""

import datetime
from typing import Annotated, Any, Literal

import pydantic

_UTC = datetime.timezone.utc
Positive = pydantic.PositiveFloat
NonNegative = pydantic.NonNegativeFloat
# The largest `popularity_alpha`: counts to this power are far below the largest float.
LARGEST_ALPHA = 10.0
EvalUsers = Annotated[int, pydantic.Field(ge=1)]
EvalNegatives = Annotated[int, pydantic.Field(ge=1, le=1_000_000)]
# No machine has room for a wider table: a slip of the keyboard is refused at once.
Width = Annotated[int, pydantic.Field(ge=1, le=1 << 16)]


class Config(pydantic.BaseModel):
    """Base of every config: immutable, and an unknown key is an error."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


Auto = Literal["auto"]
AUTO: Auto = "auto"


# Fields of `HistoryConfig` that training chooses from.
_TO_CHOOSE_FROM = (
    *("linear_l2", "linear_weights"),
    *("ials_l2", "ials_unobserved", "ials_shares"),
)


class HistoryConfig(Config):
    """The network that knows a user by the items they have taken.

    `auto` is replaced by a value that suits the data's size when training starts; the
    log and the report show that value.

    Attributes:
        factors: width of the tables of users and items.
        user_rows: gives each user a row of their own in a table, beside their history.
            A user without a row, such as one who was never trained, is known by their
            history alone.
        users_per_batch: how many users a training step takes.
        learning_rate: Adam's step size at the start; it decays to 0 over
            `train.epochs`.
        l2: L2 penalty on the table rows of a batch.
        dropout: fraction of a history that is hidden in a step, in [0, 1).
        softmax_items: a catalogue up to this size competes as a whole in every step; of
            a larger catalogue a sample of half this size does.
        linear_items: how many of the most frequent items the linear part covers; 0
            leaves that part out. It takes a dense matrix of this many rows and columns.
        linear_l2: penalties of the linear part, ascending. The best one on the
            validation items is taken.
        linear_weights: weights of the linear part, ascending. The best one on the
            validation items is taken. With iALS this is the weight of both together.
        recency: how fast a history fades when its user is scored: the item that lies k
            items back weighs (k + 1) ** -recency, with a mean of 1. 0 ignores the
            order. Above 0 item-kNN and EASE weigh too. A basket has no order.
        ials_l2: penalties of iALS, ascending. The best one on the validation items is
            taken.
        ials_unobserved: weights that iALS gives to pairs of user and item that did not
            occur, ascending. The best one on the validation items is taken.
        ials_shares: weights of iALS beside the linear part, ascending. The best one on
            the validation items is taken; 0 alone leaves iALS out. The tables of iALS
            have `factors` columns of their own.
    """

    factors: pydantic.PositiveInt | Auto = AUTO
    user_rows: bool = True
    users_per_batch: pydantic.PositiveInt | Auto = AUTO
    learning_rate: Positive = 5e-3
    l2: NonNegative = 1e-4
    dropout: float = pydantic.Field(0.3, ge=0, lt=1)
    softmax_items: int = pydantic.Field(16_384, ge=4)
    linear_items: pydantic.NonNegativeInt = 10_000
    linear_l2: tuple[Positive, ...] = (30, 75, 150, 300, 600, 1_200, 2_500, 5_000)
    linear_weights: tuple[NonNegative, ...] = (0, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    recency: NonNegative = 0.0
    ials_l2: tuple[Positive, ...] = (1e-3, 3e-3, 0.01)
    ials_unobserved: tuple[Positive, ...] = (0.03, 0.1, 0.3, 1, 3)
    ials_shares: tuple[NonNegative, ...] = (0, 0.5, 1, 2, 4, 8)

    @property
    def has_ials(self) -> bool:
        """Whether iALS is a part of the model."""
        return self.ials_shares != (0,)

    @property
    def width(self) -> int:
        """Columns of the tables that are served: the deep part's and those of iALS."""
        return int(self.factors) * (2 if self.has_ials else 1)

    @pydantic.model_validator(mode="after")
    def _check(self) -> "HistoryConfig":
        for name in _TO_CHOOSE_FROM:
            values = getattr(self, name)
            if not values or list(values) != sorted(set(values)):
                raise ValueError(
                    f"`{name}` must be one value or more, ascending; got "
                    f"{list(values)}."
                )
        return self


# The fields that describe the network of pairs and no other.
_PAIRWISE = (
    "type",
    "mf_dim",
    "layers",
    "mf_regularization",
    "mlp_regularization",
    "embedding_stddev",
    "biases",
    "gmf_output",
    "dropout",
)


class ModelConfig(Config):
    """The network: users by their history, or pairs (He et al., 2017, section 3).

    Where a field of the network of pairs is set and `history` is not, `history` becomes
    null, so that the network of pairs is trained.

    Attributes:
        history: the network that knows a user by their history; null takes the network
            of pairs of user and item, which the other fields describe.
        type: `neumf` fuses the halves GMF and MLP (eq. 12); `gmf` or `mlp` is that half
            alone.
        mf_dim: width of the GMF embeddings (official `num_factors`).
        layers: widths of the MLP, input side first. The first is split evenly between
            the user's and the item's embedding, so it must be even.
        mf_regularization: L2 on the GMF embedding rows of a batch.
        mlp_regularization: L2 of the MLP: one value for its embeddings, then one for
            each layer after the first, as many as `layers` has; one value serves all.
        embedding_stddev: standard deviation of the normal initialiser of the
            embeddings; null is Glorot uniform, as in the official NCF.
        biases: adds a bias per user and per item.
        gmf_output: `trained` weighs the GMF half as in eq. 12; `ones` fixes its weights
            at 1, which makes that half a plain dot product.
        dropout: fraction dropped after each MLP layer while training, in [0, 1).
    """

    history: HistoryConfig | None = HistoryConfig()
    type: Literal["neumf", "gmf", "mlp"] = "neumf"
    mf_dim: Width = 8
    layers: tuple[Width, ...] = (64, 32, 16, 8)
    mf_regularization: NonNegative = 0.0
    mlp_regularization: tuple[NonNegative, ...] = (0.0,)
    embedding_stddev: Positive | None = None
    biases: bool = False
    gmf_output: Literal["trained", "ones"] = "trained"
    dropout: float = pydantic.Field(0.0, ge=0, lt=1)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _choose(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "history" in values:
            return values
        pairwise = any(name in values for name in _PAIRWISE)
        return values | {"history": None} if pairwise else values

    @pydantic.model_validator(mode="after")
    def _check(self) -> "ModelConfig":
        if self.history is not None:
            fields = type(self).model_fields
            other = [n for n in _PAIRWISE if getattr(self, n) != fields[n].default]
            if other:
                raise ValueError(
                    f"`{other[0]}` belongs to the network of pairs, `history` to that "
                    "of users by their history; got both. Set `model.history` to null, "
                    f"or leave `model.{other[0]}` out."
                )
        if len(self.layers) < 2:
            raise ValueError(
                "`layers` must have two widths or more, that of the embeddings first; "
                f"got {list(self.layers)}."
            )
        if self.layers[0] % 2:
            raise ValueError(
                "`layers` must start with an even width, half for the user and half "
                f"for the item; got {list(self.layers)}."
            )
        if len(self.mlp_regularization) not in (1, len(self.layers)):
            raise ValueError(
                "`mlp_regularization` must have one value, or one per entry of "
                f"`layers` ({len(self.layers)}); got {len(self.mlp_regularization)}."
            )
        return self


class TrainConfig(Config):
    """How the network is trained.

    Attributes:
        epochs: passes over the training positives; negatives are fresh in each pass.
        batch_size: (user, item, label) rows of pairs per step over all replicas.
        learning_rate, beta1, beta2, epsilon: the settings of Adam for pairs. beta1
            squared must be below beta2. Where both are nearly equal, or beta2 is below
            0.9, every row of a table is updated in every step, which is slow: see
            `optimizer.Adam.rows_can_wait`.
        learning_rate_schedule: `cosine` decays to 0 over all epochs.
        patience: training stops after so many epochs that are not better on the
            validation items; null trains all epochs. The best epoch is always kept.
        hit_rate_target: training stops once the validation HR@10 has reached this value
            (official `hr_threshold`); null sets no target.
        refit: trains anew with the validation items included, for as many epochs as the
            best epoch's number. False ships the model of the best validation epoch.
        warm_start: `latest_blessed` begins with the tables of the served model, carried
            over by id; null begins with random tables.
        warm_epochs: how many epochs a warm start trains, in place of `epochs`.
        warm_rate: the fraction of the learning rate with which a warm start begins.
        cold_beside: after a warm start trains a second model from random numbers, shows
            both in the report, and does not ship the second.
        pretrain_epochs: trains GMF and MLP alone for so many epochs, and starts NeuMF
            from both (section 3.4.1); 0 starts from random weights.
        pretrain_alpha: weight of GMF's output layer when NeuMF starts from both halves;
            MLP's output layer has the rest of 1.
        strategy: the tf.distribute strategy; see `ncf_model.training.strategy`.
        num_gpus: how many GPUs of this machine are used; null takes all there are.
        tpu: with `strategy: tpu`, the TPU's name; `local` is the TPU of this machine.
        precision: `mixed_bfloat16` and `mixed_float16` compute in 16 bits and keep
            weights in 32; float16 scales the loss. Where oneDNN computes XLA's matrix
            products on a CPU, `mixed_bfloat16` rounds these products only; see
            `ncf_model.network.matrix_products`.
        jit_compile: compiles blocks of steps, and validation, with XLA.
        mlperf_log: writes MLPerf's log lines into a file beside `history.json`.
    """

    epochs: int = pydantic.Field(15, ge=1, le=100_000)
    batch_size: int = pydantic.Field(2048, ge=1, le=1 << 27)
    learning_rate: Positive = 7e-3
    beta1: float = pydantic.Field(0.9, ge=0, lt=1)
    beta2: float = pydantic.Field(0.999, ge=0, lt=1)
    epsilon: Positive = 1e-8
    learning_rate_schedule: Literal["constant", "cosine"] = "cosine"
    patience: pydantic.PositiveInt | None = None
    hit_rate_target: float | None = pydantic.Field(None, gt=0, le=1)
    refit: bool = True
    warm_start: Literal["latest_blessed"] | None = None
    warm_epochs: int = pydantic.Field(4, ge=1, le=100_000)
    warm_rate: float = pydantic.Field(0.3, gt=0, le=1)
    cold_beside: bool = False
    pretrain_epochs: int = pydantic.Field(0, ge=0, le=100_000)
    pretrain_alpha: float = pydantic.Field(0.5, gt=0, lt=1)
    strategy: Literal[
        "auto",
        "one_device",
        "mirrored",
        "multi_worker_mirrored",
        "parameter_server",
        "tpu",
    ] = "one_device"
    num_gpus: pydantic.PositiveInt | None = None
    tpu: str = "local"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: bool = True
    mlperf_log: bool = False

    @property
    def epochs_of_rows(self) -> int:
        """How many epochs draw negatives: all of them, then those of pretraining."""
        return self.epochs + 2 * self.pretrain_epochs

    def first_draw(self, phase: str) -> int:
        """Returns which draw, from 0, the first epoch of a phase takes."""
        halves = {"gmf": self.epochs, "mlp": self.epochs + self.pretrain_epochs}
        return halves.get(phase, 0)

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TrainConfig":
        # Otherwise Adam's step for a row grows without bound while it has no gradient.
        if self.beta1**2 >= self.beta2:
            raise ValueError(
                "`beta1` squared must be below `beta2`, or Adam's steps grow without "
                f"a gradient; got {self.beta1} and {self.beta2}."
            )
        return self


class SamplingConfig(Config):
    """How interactions become training rows and evaluation lists.

    Attributes:
        mode: `streaming` lets the trainer draw each epoch's negatives; `materialised`
            has the component write them. The rows are the same.
        num_negatives: how many negatives are drawn per training positive and epoch
            (official `num_neg`).
        eval_negatives: how many items an evaluation list has beside the held-out one:
            99 (paper), 999 (MLPerf), or `all`, everything that the user has not seen.
        eval_with_replacement: draws evaluation negatives as the official NCF does: with
            replacement, and from all items but the user's training positives. An item
            that is drawn twice counts once.
        eval_users: for about how many users lists are made: `all`, or a sample that
            their ids and the seed decide. Of millions of users a sample is enough; each
            figure is shown with its error. The items of all users are held out in any
            case.
        distribution: training negatives are `uniform` over the unseen items, or drawn
            with probability proportional to popularity ** `popularity_alpha`.
        popularity_alpha: the exponent of `distribution: popularity`; 0 is uniform.
        split: `leave_one_out` holds out each user's latest interaction for evaluation,
            `temporal` all interactions from `split_time` on.
        split_time: a date, a time or seconds since 1970; UTC unless it names a zone.
            Whole seconds, as the interactions' times are.
        held_out_users: fraction of the users who are held out whole, in [0, 0.5]. The
            report says how well the model and EASE predict the last item of such a user
            from the other items. In service these users are unknown.
    """

    mode: Literal["streaming", "materialised"] = "streaming"
    num_negatives: int = pydantic.Field(4, ge=1, le=10_000)
    eval_negatives: EvalNegatives | Literal["all"] = 99
    eval_with_replacement: bool = False
    eval_users: EvalUsers | Literal["all"] = "all"
    distribution: Literal["uniform", "popularity"] = "uniform"
    popularity_alpha: float = pydantic.Field(0.75, ge=0, le=LARGEST_ALPHA)
    split: Literal["leave_one_out", "temporal"] = "leave_one_out"
    split_time: datetime.datetime | None = None
    held_out_users: float = pydantic.Field(0.0, ge=0, le=0.5)

    @property
    def split_seconds(self) -> float:
        """`split_time` in seconds since 1970.

        Raises:
            ValueError: there is no `split_time`.
        """
        if self.split_time is None:
            raise ValueError("`split_time` is not set: the split is not temporal.")
        time = self.split_time
        return (time if time.tzinfo else time.replace(tzinfo=_UTC)).timestamp()

    @pydantic.model_validator(mode="after")
    def _check(self) -> "SamplingConfig":
        if (self.split == "temporal") != (self.split_time is not None):
            raise ValueError(
                "`split_time` and `split: temporal` must be set together; got split "
                f"{self.split!r} and split_time {self.split_time}."
            )
        if self.split_time is not None and self.split_time.microsecond:
            raise ValueError(
                "`split_time` must be in whole seconds, as the times of interactions "
                f"are; got {self.split_time}."
            )
        if self.eval_negatives == "all" and self.eval_with_replacement:
            raise ValueError(
                "`eval_with_replacement` needs a number of draws; `eval_negatives` is "
                "'all', which draws none. Set one of them only."
            )
        return self


def check_together(
    model: ModelConfig, train: TrainConfig, sampling: SamplingConfig
) -> None:
    """Checks settings that depend on each other.

    Raises:
        ValueError: a setting is of one network, and the other one is configured; or a
            warm start trains more epochs than materialised negatives are written for.
    """
    if sampling.held_out_users and (model.history is None or train.warm_start):
        raise ValueError(
            "`sampling.held_out_users` must be 0 without `model.history`, because the "
            "network of pairs does not know users whom it was not trained on, and with "
            "`train.warm_start`, because the earlier model may have trained on them."
        )
    if model.history is None:
        drawn = sampling.mode == "materialised" and train.warm_start is not None
        if drawn and train.warm_epochs > train.epochs:
            raise ValueError(
                "`train.warm_epochs` must be at most `train.epochs` where `sampling."
                "mode: materialised` writes the negatives of that many; got "
                f"{train.warm_epochs} and {train.epochs}."
            )
        return
    refused = {
        "train.pretrain_epochs": train.pretrain_epochs > 0,
        "train.mlperf_log": train.mlperf_log,
        "train.precision": train.precision != "float32",
        "train.strategy": train.strategy in ("parameter_server", "tpu"),
        "sampling.mode": sampling.mode == "materialised",
    }
    for name, wrong in refused.items():
        if wrong:
            value = getattr(train if "train" in name else sampling, name.split(".")[1])
            raise ValueError(
                f"`{name}: {value}` is for the network of pairs; `model.history` "
                "describes that of users by their history. Set `model.history` to "
                f"null, or leave `{name}` out."
            )
