"""Which operations an exported model has."""

import pathlib

from tensorflow.core.protobuf import saved_model_pb2


def of(folder):
    """Returns the names of all operations in all functions of a SavedModel."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(pathlib.Path(folder, "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    return {node.op for function in functions for node in function.node_def}
