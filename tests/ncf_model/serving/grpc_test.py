"""The pushed model answers TensorFlow Serving's own gRPC messages.

The server is a stand-in: it hands the tensors of a PredictRequest to the signature that
the request names, as TensorFlow Serving does. The true binary is not on PyPI.
"""

import concurrent.futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_service_pb2_grpc,
)

from ncf_model.config import ModelConfig
from ncf_model.network import model


class _Server(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, loaded):
        self._signatures = loaded.signatures

    def Predict(self, request, context):
        name = request.model_spec.signature_name or "serving_default"
        if name not in self._signatures:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no signature {name}")
        inputs = {
            key: tf.constant(tf.make_ndarray(value))
            for key, value in request.inputs.items()
        }
        try:
            outputs = self._signatures[name](**inputs)
        except (TypeError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for key, value in outputs.items():
            answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return answer


@pytest.fixture
def predict(tiny):
    """Returns a function that sends a PredictRequest and returns arrays.

    The logit of user u and item i is (u + 1) * (7 - i) - 10.
    """
    settings = {"type": "gmf", "mf_dim": 1, "gmf_output": "ones"}
    network = model.NeuMF(ModelConfig(**settings), num_users=5, num_items=7)
    network.user_table.embeddings.assign([[1.0], [2.0], [3.0], [4.0], [5.0], [0.0]])
    network.item_table.embeddings.assign([[7.0 - i] for i in range(7)] + [[0.0]])
    network.scorer.output_bias.assign([-10.0])
    path = tiny.export(network)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Server(tf.saved_model.load(path)), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(signature="", **inputs):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "ncf"
        request.model_spec.signature_name = signature
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        answer = stub.Predict(request, timeout=60)
        return {key: tf.make_ndarray(value) for key, value in answer.outputs.items()}

    yield ask
    channel.close()
    server.stop(None)


def test_each_signature(predict):
    score = predict(user_id=["ann", "007"], item_id=["i0", "i4"])["score"]
    np.testing.assert_allclose(score, 1 / (1 + np.exp([3, -2])), rtol=1e-5)
    lists = predict("recommend", user_id=["bob", "nobody"], k=np.int32(2))
    assert lists["item_ids"].tolist() == [[b"i3", b"i4"], [b"i0", b"i1"]]
    assert predict("history", user_id=["only one"])["item_ids"].tolist() == [[b"i0"]]
    similar = predict("similar_items", item_id=["i0"], k=np.int32(6))
    assert set(similar["item_ids"][0]) == {f"i{i}".encode() for i in range(1, 7)}
    example = tf.train.Example()
    example.features.feature["user_id"].bytes_list.value.append(b"ann")
    example.features.feature["candidate_ids"].bytes_list.value.extend([b"i6", b"i0"])
    scores = predict("evaluate", examples=[example.SerializeToString()])["scores"]
    np.testing.assert_allclose(scores, [[-9, -3]], rtol=1e-5)


@pytest.mark.parametrize(
    ("signature", "inputs", "code"),
    [
        ("other", {"user_id": ["a"]}, grpc.StatusCode.FAILED_PRECONDITION),
        ("recommend", {"user_id": ["a"]}, grpc.StatusCode.INVALID_ARGUMENT),
        (
            "recommend",
            {"user_id": ["a"], "k": np.int32(-1)},
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
)
def test_what_the_model_refuses(predict, signature, inputs, code):
    with pytest.raises(grpc.RpcError, match="details") as raised:
        predict(signature, **inputs)
    assert raised.value.code() == code
