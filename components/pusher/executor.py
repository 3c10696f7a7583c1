"""Reads the blessing, pushes the model, and writes the result."""

from typing import Any

from absl import logging
from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils

from components.pusher import blessing, destination, driver
from components.pusher.config import PushConfig
from ncf_model.serving import folders, versions
from ncf_model.serving.version_record import VersionRecord

CONFIG_KEY = "push"
NOT_PUSHED_PROPERTY = "not_pushed_because"
IS_NEW_PROPERTY = "is_new"


class Executor(tfx_executor.Executor):
    """Pushes into the serving folder; the outputs are those of TFX's Pusher."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed and not the newest version already.

        Raises:
            ValueError: there is no blessing, or it is that of another model.
        """
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        serving = driver.serving_folder(exec_properties)
        model = self.GetModelPath(input_dict)
        _name_the_rest(serving)
        if reason := self._refusal(input_dict, serving, model):
            self._MarkNotPushed(pushed)
            pushed.set_string_custom_property(NOT_PUSHED_PROPERTY, reason)
            logging.info("Not pushed: %s", reason)
            return
        custom = json_utils.loads(
            exec_properties.get(standard_component_specs.CUSTOM_CONFIG_KEY) or "{}"
        )
        settings = PushConfig.model_validate((custom or {}).get(CONFIG_KEY, {}))
        state = str(exec_properties.get(driver.STATE_KEY, ""))
        version, is_new = versions.push(
            serving,
            model,
            record=self._record(input_dict),
            keep=settings.keep,
            number=int(state) if state.isdigit() else None,
        )
        io_utils.copy_dir(model, pushed.uri)
        self._MarkPushed(pushed, version.path, str(version.number))
        pushed.set_int_custom_property(IS_NEW_PROPERTY, int(is_new))
        logging.info("Version %s, %s.", version.path, "new" if is_new else "as it was")

    def _refusal(
        self, input_dict: dict[str, list[types.Artifact]], serving: str, model: str
    ) -> str:
        """Returns why the model may not be pushed; "" if it may be."""
        given = input_dict.get(standard_component_specs.MODEL_BLESSING_KEY)
        if not given:
            raise ValueError(
                "There must be a blessing of the model, but Evaluator left none, which "
                "happens on a full disk. Nothing is pushed. Run the same command again."
            )
        artifact = artifact_utils.get_single_instance(given)
        candidate = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.MODEL_KEY]
        )
        digest = folders.digest(model)
        reason = blessing.refusal(
            blessing.Model(candidate.id, candidate.uri, digest),
            _properties(artifact),
            fileio.listdir(artifact.uri) if fileio.isdir(artifact.uri) else (),
        )
        if reason:
            return reason
        if not self.CheckBlessing(input_dict):
            return "InfraValidator did not bless it."
        if digest in versions.withdrawn(serving):
            return destination.TAKEN_BACK
        return ""

    def _record(self, input_dict: dict[str, list[types.Artifact]]) -> VersionRecord:
        """Returns the record of the version, which says where it comes from."""
        model = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.MODEL_KEY]
        )
        given = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.MODEL_BLESSING_KEY]
        )
        context = self._context
        info = context.pipeline_info if context else None
        return VersionRecord(
            run=context.pipeline_run_id if context else None,
            pipeline=info.id if info else None,
            model_id=model.id,
            model_uri=model.uri,
            blessing_uri=given.uri,
            blessing=_properties(given),
        )


def _name_the_rest(serving: str) -> None:
    """Logs what else is in the serving folder than whole versions, and stays there."""
    found = versions.look(serving)
    for version in found.broken:
        logging.warning("%s is no whole model: %s", version.path, version.problem)
    if found.foreign:
        logging.warning("Not versions, left alone in %s: %s", serving, found.foreign)


def _properties(artifact: types.Artifact) -> dict[str, Any]:
    """Returns the custom properties that are numbers or text; whole numbers as int.

    In a container of Kubeflow or Vertex AI each property comes as a JSON value.
    """
    plain: dict[str, Any] = {}
    for name, value in artifact.mlmd_artifact.custom_properties.items():
        kind = value.WhichOneof("value")
        if kind == "struct_value":
            found = artifact.get_json_value_custom_property(name)
        else:
            found = getattr(value, kind) if kind else None
        if isinstance(found, int | float | str):
            whole = isinstance(found, float) and found.is_integer()
            plain[name] = int(found) if whole else found
    return plain
