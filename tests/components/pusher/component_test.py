from tfx.proto import pusher_pb2
from tfx.types import channel, standard_artifacts

from components.pusher import component, driver, executor


def test_component():
    node = component.Pusher(
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory="s")
        ),
    )
    assert node.id == "Pusher"
    assert node.driver_class is driver.Driver
    assert node.executor_spec.executor_class is executor.Executor
    assert node.outputs["pushed_model"].type is standard_artifacts.PushedModel
