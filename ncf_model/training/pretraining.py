"""Starts NeuMF from GMF and MLP, each trained alone: He et al. (2017), section 3.4.1.

The scores of the fused network are at first alpha times those of GMF plus 1 - alpha
times those of MLP. The paper continues with plain SGD, because Adam's moments are lost;
here Adam starts with new moments.
"""

from typing import Literal

import numpy as np

from ncf_model.network import model


def half(network: model.NeuMF, kind: Literal["gmf", "mlp"]) -> model.NeuMF:
    """Returns a fresh network of one half alone, otherwise with the same settings."""
    settings = network.settings.model_copy(update={"type": kind})
    return model.NeuMF(
        settings, num_users=network.num_users, num_items=network.num_items
    )


def fuse(
    network: model.NeuMF, *, gmf: model.NeuMF, mlp: model.NeuMF, alpha: float
) -> None:
    """Sets the weights of `network` from its trained halves.

    Args:
        network: of type `neumf`.
        gmf: the trained GMF half, made by `half`.
        mlp: the trained MLP half, made by `half`.
        alpha: weight of GMF's logit in the fused network's, in (0, 1).
    """
    scorer = network.scorer
    trained = network.settings.gmf_output == "trained"
    for name in ("user_table", "item_table"):
        rows, gmf_rows, mlp_rows = (
            getattr(part, name).embeddings.numpy().copy()
            for part in (network, gmf, mlp)
        )
        # Without trained output weights, the user's rows of GMF are multiplied by
        # alpha.
        weighed = not trained and name == "user_table"
        width, end = scorer.mf_dim, scorer.mf_dim + scorer.mlp_dim
        rows[:, :width] = gmf_rows[:, :width] * (alpha if weighed else 1.0)
        rows[:, width:end] = mlp_rows[:, : scorer.mlp_dim]
        if network.settings.biases:
            rows[:, end] = alpha * gmf_rows[:, -1] + (1 - alpha) * mlp_rows[:, -1]
        getattr(network, name).embeddings.assign(rows)
    for layer, other in (
        (scorer, mlp.scorer),
        *zip(scorer.hidden_layers, mlp.scorer.hidden_layers, strict=True),
    ):
        for name in ("user_kernel", "item_kernel", "hidden_bias", "kernel", "bias"):
            if hasattr(layer, name):
                getattr(layer, name).assign(getattr(other, name))
    kernels = [(1 - alpha) * mlp.scorer.output_kernel.numpy()]
    if trained:
        kernels.insert(0, alpha * gmf.scorer.output_kernel.numpy())
    scorer.output_kernel.assign(np.concatenate(kernels))
    scorer.output_bias.assign(
        alpha * gmf.scorer.output_bias.numpy()
        + (1 - alpha) * mlp.scorer.output_bias.numpy()
    )
