"""What a model learns: descriptors are standardised, clipped, and go through two layers. Its fitting, its use in
numpy, and its graph."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from steps.systems.backend import mlp
from steps.systems.mlp import CLIP
from steps.systems.system import Backend
from utils.cli import UserError
from utils.files import whole


class Head(NamedTuple):
    """Standardisation and layers; between two layers, rectification."""

    mean: np.ndarray  # (size,)
    scale: np.ndarray  # (size,)
    weights: list[np.ndarray]  # (in, out) each
    biases: list[np.ndarray]  # (out,) each

    def standardised(self, x: np.ndarray) -> np.ndarray:
        """(N, size) → (N, size) float32, from −CLIP to CLIP."""
        return np.clip((x - self.mean) / self.scale, -CLIP, CLIP).astype(np.float32)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """(N, size) descriptors → (N, classes)."""
        z = self.standardised(x)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1]):
            z = np.maximum(z @ weight + bias, 0)
        return z @ self.weights[-1] + self.biases[-1]

    def unlike(self, x: np.ndarray) -> np.ndarray:
        """(N,): the mean squared standardised value."""
        return np.square(self.standardised(x)).mean(axis=1)


def fit(x: np.ndarray, y: np.ndarray, weights: np.ndarray, backend: Backend, seed: int) -> Head:
    """x: (N, size) descriptors; y: (N,) class indices, of which each is there; weights: (N,) what each counts."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x, sample_weight=weights)
    head = Head(scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32), [], [])
    for weight, bias in mlp(backend, seed, backend.C[0]).fit(head.standardised(x), y, weights).layers:
        head.weights.append(weight)
        head.biases.append(bias)
    return head


def in_8_bits(head: Head) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Each layer's weights in steps of 1/127 of the greatest of their column: (in, out) int8, and (out,) steps."""
    steps = [np.abs(weight).max(axis=0).clip(1e-12) / 127 for weight in head.weights]
    return [np.rint(weight / step).astype(np.int8) for weight, step in zip(head.weights, steps)], steps


def rounded(head: Head) -> Head:
    """The head with the weights that it has in 8 bits."""
    codes, steps = in_8_bits(head)
    return head._replace(weights=[(code * step).astype(np.float32) for code, step in zip(codes, steps)])


def save(head: Head, path: Path) -> None:
    """As model.safetensors."""
    from safetensors.numpy import save as to_bytes

    tensors = {"mean": head.mean, "scale": head.scale}
    for k, (weight, bias) in enumerate(zip(head.weights, head.biases)):
        tensors |= {f"weight_{k}": np.ascontiguousarray(weight), f"bias_{k}": np.ascontiguousarray(bias)}
    with whole(path) as temporary:
        temporary.write_bytes(to_bytes(tensors))


def load(path: Path, content: bytes | None = None) -> Head:
    """What `save` wrote, or its `content`, read before. Raises UserError for another file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        tensors = from_bytes(path.read_bytes() if content is None else content)
        count = sum(name.startswith("weight_") for name in tensors)
        layers = [(tensors[f"weight_{k}"], tensors[f"bias_{k}"]) for k in range(count)]
        return Head(tensors["mean"], tensors["scale"], [w for w, _ in layers], [b for _, b in layers])
    except (OSError, SafetensorError, KeyError) as error:
        raise UserError(f"{path}: is no model that steps/make_model.py left: {error}") from None


def write_graph(head: Head, temperature: float, path: Path, int8: bool = False) -> None:
    """As ONNX: descriptors (N, size) → posteriors (N, classes), calibrated, and unlike (N,). int8: the weights are kept
    in 8 bits."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    size, classes, dims = len(head.mean), len(head.biases[-1]), TensorProto.FLOAT
    constants = {"mean": head.mean, "scale": head.scale, "low": np.float32(-CLIP), "high": np.float32(CLIP)}
    constants |= {"temperature": np.float32(temperature)}
    nodes = [
        helper.make_node("Sub", ["descriptors", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["z"]),
        helper.make_node("Mul", ["z", "z"], ["squares"]),
        helper.make_node("ReduceMean", ["squares", "last"], ["unlike"], keepdims=0),
    ]
    constants["last"] = np.array([1], np.int64)
    before, codes = "z", in_8_bits(head)
    for k, (weight, bias) in enumerate(zip(head.weights, head.biases)):
        constants |= {f"bias_{k}": bias}
        if int8:
            constants |= {f"codes_{k}": codes[0][k], f"steps_{k}": codes[1][k].astype(np.float32)}
            nodes.append(helper.make_node("DequantizeLinear", [f"codes_{k}", f"steps_{k}"], [f"weight_{k}"], axis=1))
        else:
            constants |= {f"weight_{k}": weight}
        nodes.append(helper.make_node("Gemm", [before, f"weight_{k}", f"bias_{k}"], [f"layer_{k}"]))
        before = f"layer_{k}"
        if k < len(head.weights) - 1:
            nodes.append(helper.make_node("Relu", [before], [f"rectified_{k}"]))
            before = f"rectified_{k}"
    nodes.append(helper.make_node("Div", [before, "temperature"], ["logits"]))
    nodes.append(helper.make_node("Softmax", ["logits"], ["posteriors"], axis=1))
    graph = helper.make_graph(
        nodes,
        "emotions",
        [helper.make_tensor_value_info("descriptors", dims, ["N", size])],
        [
            helper.make_tensor_value_info("posteriors", dims, ["N", classes]),
            helper.make_tensor_value_info("unlike", dims, ["N"]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    with whole(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
