import numpy as np
import pytest

from ncf_model.history import calibration


def _probability(curve, logit):
    return 1 / (1 + np.exp(-curve.logits(logit)))


def test_says_the_share_of_what_was_taken():
    # With score 10 three of four items were taken, with score -20 one of four.
    curve = calibration.fit(
        np.repeat([10.0, -20.0], [3000, 1000]), np.repeat([10.0, -20.0], [1000, 3000])
    )
    assert _probability(curve, 10.0) == pytest.approx(3 / 4, abs=1e-3)
    assert _probability(curve, -20.0) == pytest.approx(1 / 4, abs=1e-3)


@pytest.mark.parametrize(
    ("taken", "others"),
    [([5.0, 6.0], [1.0, 2.0]), ([1.0], [5.0]), ([2.0], [2.0]), ([1e6], [-1e6] * 9)],
    ids=["apart", "the wrong way round", "all equal", "far apart"],
)
def test_always_rises_and_is_finite(taken, others):
    curve = calibration.fit(np.array(taken), np.array(others))
    assert 0 < curve.slope < np.inf
    assert np.isfinite(curve.offset)


@pytest.mark.parametrize(
    ("taken", "others"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0])]
)
def test_nothing_to_go_by(taken, others):
    with pytest.raises(ValueError, match="both kinds, finite ones, are needed; got"):
        calibration.fit(np.array(taken), np.array(others))
