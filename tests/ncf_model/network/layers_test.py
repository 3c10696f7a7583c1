"""The scorer, with weights that a reader can multiply."""

import numpy as np
import pytest

from ncf_model.config import ModelConfig
from ncf_model.network import layers


def _scorer(**settings):
    """A scorer with one GMF factor, one MLP factor and one hidden unit."""
    scorer = layers.Scorer(ModelConfig(mf_dim=1, layers=(2, 1), **settings))
    scorer.build()
    values = {
        "user_kernel": [[2.0]],
        "item_kernel": [[-1.0]],
        "hidden_bias": [0.5],
        "output_bias": [0.25],
        "output_kernel": [[10.0], [100.0]],
    }
    for weight in scorer.weights:
        if weight.name in values:
            weight.assign(np.array(values[weight.name])[-weight.shape[0] :])
    return scorer


USER, ITEM = np.array([3.0, 1.0], "f"), np.array([5.0, 1.0], "f")


def _logit(scorer, user=USER, item=ITEM):
    return float(scorer(np.array([user]), np.array([item]))[0])


def test_fuses_both_halves():
    # GMF, MLP and bias: 10 * (3 * 5) + 100 * relu(2 * 1 - 1 * 1 + 0.5) + 0.25.
    assert _logit(_scorer()) == pytest.approx(150 + 150 + 0.25)


def test_hidden_layer_is_rectified():
    # The hidden unit's 2 * 1 - 1 * 4 + 0.5 is negative.
    assert _logit(_scorer(), item=np.array([5.0, 4.0], "f")) == 150.25


def test_one_half_alone():
    assert _logit(_scorer(type="gmf"), USER[:1], ITEM[:1]) == 100 * 15 + 0.25
    assert _logit(_scorer(type="mlp"), USER[1:], ITEM[1:]) == 150.25


def test_output_weights_of_gmf_fixed_at_one():
    assert _logit(_scorer(gmf_output="ones")) == 15 + 150 + 0.25
    plain = _scorer(type="gmf", gmf_output="ones")
    assert _logit(plain, USER[:1], ITEM[:1]) == 15.25
    assert [weight.name for weight in plain.weights] == ["output_bias"]


def test_biases_are_the_last_field():
    user, item = np.append(USER, 7.0), np.append(ITEM, -2.0)
    assert _logit(_scorer(biases=True), user, item) == 300.25 + 7 - 2


def test_a_user_meets_many_items():
    rng = np.random.default_rng(0)
    scorer = layers.Scorer(ModelConfig(mf_dim=3, layers=(4, 6, 5), biases=True))
    scorer.build()
    users, items = rng.normal(size=(2, 1, 6)), rng.normal(size=(2, 3, 6))
    together = scorer(users, items)
    assert together.shape == (2, 3)
    for b in range(2):
        for n in range(3):
            alone = scorer(users[b], items[b, n : n + 1])
            np.testing.assert_allclose(together[b, n], alone[0], rtol=1e-5)


@pytest.mark.parametrize("kind", ["neumf", "gmf", "mlp"])
def test_each_user_meets_each_item(kind):
    """One matrix product for all pairs must give the same logits as single pairs."""
    settings = ModelConfig(type=kind, mf_dim=3, layers=(4, 6, 5), biases=True)
    scorer = layers.Scorer(settings)
    scorer.build()
    rng = np.random.default_rng(0)
    for weight in scorer.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(size=weight.shape))
    users, items = (rng.normal(size=(n, scorer.width)).astype("f") for n in (4, 5))
    pairs = scorer(users[:, np.newaxis], items[np.newaxis])
    met = scorer.combine_all(scorer.user_part(users), scorer.item_part(items))
    assert met.shape == (4, 5)
    np.testing.assert_allclose(met, pairs, rtol=1e-5, atol=1e-5)


def test_split_kernel_is_a_layer_on_the_concatenation():
    rng = np.random.default_rng(0)
    scorer = layers.Scorer(ModelConfig(type="mlp", layers=(4, 3)))
    scorer.build()
    user, item = rng.normal(size=(2, 5, 2))
    kernel = np.concatenate([scorer.user_kernel.numpy(), scorer.item_kernel.numpy()])
    hidden = np.maximum(np.concatenate([user, item], 1) @ kernel, 0)
    expected = hidden @ scorer.output_kernel.numpy()[:, 0]
    np.testing.assert_allclose(scorer(user, item), expected, rtol=1e-5)


def test_dropout_acts_in_training_only():
    scorer = layers.Scorer(ModelConfig(type="mlp", layers=(40, 30, 20), dropout=0.5))
    scorer.build()
    user, item = np.ones((2, 1, 20), "f")
    served = {float(scorer(user, item)[0]) for _ in range(5)}
    trained = {float(scorer(user, item, training=True)[0]) for _ in range(5)}
    assert len(served) == 1
    assert len(trained) > 1


def test_penalty_of_a_row():
    # The penalty is 0.1 * 3**2 + 0.01 * 4**2; the bias 100 is not penalised.
    scorer = _scorer(biases=True, mf_regularization=0.1, mlp_regularization=(0.01, 9))
    rows = np.array([[3.0, 4.0, 100.0]], "f")
    np.testing.assert_allclose(scorer.row_penalty(rows), [0.9 + 0.16], rtol=1e-6)


def test_penalty_of_the_kernels():
    # 5 * (2**2 + 1**2); the first value of two is for the MLP embeddings.
    assert float(_scorer(mlp_regularization=(7, 5)).kernel_penalty()) == 25.0
    assert float(_scorer(mlp_regularization=(3,)).kernel_penalty()) == 15.0
    assert float(_scorer(type="gmf", mlp_regularization=(3,)).kernel_penalty()) == 0.0
