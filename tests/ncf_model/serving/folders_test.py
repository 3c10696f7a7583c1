"""The name of the SavedModel's folder is the one that TFX uses."""

from tfx.utils import path_utils

from ncf_model.serving import folders


def test_trainers_folder_is_the_one_that_tfx_looks_for():
    assert path_utils.serving_model_dir("run") == f"run/{folders.SERVING_MODEL}"
