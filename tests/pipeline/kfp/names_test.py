"""Names that Kubernetes takes are taken; `pods_test` has those that are refused."""

import pytest

from pipeline.kfp import config, platform_spec


def test_takes_the_longest_names_that_kubernetes_takes():
    label = {f"kueue.x-k8s.io/{'a' * 63}": "Z" * 63, "empty": ""}
    node = {"labels": label, "image_pull_secrets": ["a.b-c" + "d" * 248]}
    assert config.load(None, nodes={"A": node}).nodes["A"].labels == label


def test_takes_annotations_with_capitals():
    """Kubernetes lowers the case of an annotation's key before it checks it."""
    owner = {"Example.com/Owner": "a b"}
    node = config.load(None, nodes={"A": {"annotations": owner}}).nodes["A"]
    assert node.annotations == owner
    with pytest.raises(ValueError, match=r"labels.*got 'Example.com/Owner'"):
        config.load(None, nodes={"A": {"labels": owner}})


def test_a_toleration_without_a_key_is_for_all_taints():
    nodes = {"A": {"tolerations": [{"key": "", "effect": ""}]}}
    node = config.load(None, nodes=nodes).nodes["A"]
    assert platform_spec.kubernetes(node)["tolerations"] == [{"operator": "Exists"}]
    nodes["A"]["tolerations"][0]["operator"] = "Equal"
    with pytest.raises(ValueError, match=r"without a `key` .* has operator Exists"):
        config.load(None, nodes=nodes)
