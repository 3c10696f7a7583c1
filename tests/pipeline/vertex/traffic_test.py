import pytest

from components.vertex_pusher import traffic


@pytest.mark.parametrize(
    ("deployed", "before", "share", "keep", "split", "undeploy"),
    [
        (["n"], {}, 10, 1, {"n": 100}, []),
        (["a", "n"], {"a": 100}, 100, 1, {"a": 0, "n": 100}, []),
        (["a", "n"], {"a": 100}, 100, 0, {"a": 0, "n": 100}, ["a"]),
        (["a", "n"], {"a": 100}, 10, 1, {"a": 90, "n": 10}, []),
        # The earlier canary, b, never became the main model: a stays.
        (["a", "b", "n"], {"a": 90, "b": 10}, 10, 1, {"a": 90, "b": 0, "n": 10}, ["b"]),
        (["a", "b", "n"], {"a": 0, "b": 100}, 5, 1, {"a": 0, "b": 95, "n": 5}, ["a"]),
        # Of models with equal shares the newer one stays.
        (["a", "b", "n"], {}, 100, 1, {"a": 0, "b": 0, "n": 100}, ["a"]),
        (["a", "b", "n"], {"b": 100}, 50, 2, {"a": 0, "b": 50, "n": 50}, []),
    ],
)
def test_plan(deployed, before, share, keep, split, undeploy):
    found = traffic.plan(deployed, before, new="n", share=share, keep=keep)
    assert found == (split, undeploy)
    assert sum(found.split.values()) == 100
