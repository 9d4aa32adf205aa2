"""The weights of a Llama-shaped language model on one device, and its two passes: prefill and step.

Queries, keys and values of a layer lie in one matrix, and so do gate and up: fewer and larger reads. Where
the model is on the device already, its own parameters become views of the fused matrices, so that it can
still be used and takes no memory of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.bias import causal_lower_right

from voxterm.decoding import plain
from voxterm.decoding.output import OutputIds
from voxterm.decoding.weights import Weight, on_device, quantised, quantised_table
from voxterm.errors import EngineLoadError

ACTIVATIONS = ("silu", "swish")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shape:
    """The sizes of a model."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    eps: float


@dataclass(frozen=True)
class Layer:
    """One transformer layer. Norms are (hidden,), or (head_size,) for queries and keys."""

    before_attention: Tensor
    qkv: Weight  # ((H + 2 Hkv) D, hidden)
    qkv_bias: Tensor | None
    query_norm: Tensor | None
    key_norm: Tensor | None
    out: Weight
    before_mlp: Tensor
    gate_up: Weight  # (2 mlp, hidden)
    down: Weight


class Decoder:
    """A model ready to decode. Its passes write the keys and values of what they read into a cache."""

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Linear,
        device: str,
        precision: str,
        output: OutputIds | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Take over a model of Transformers, which may be anywhere, its weights mapped from a file included.

        Args:
            backbone: the model without its output layer: embed_tokens, layers, norm, config.
            head: the output layer.
            precision: one of `protocols.Precision`; norms and biases are never quantised.
            output: the only ids that may be sampled.
            progress: told (bytes done, bytes in all).

        Raises:
            EngineLoadError: the architecture is not one of those that this class knows.
        """
        parts: Any = backbone
        self.shape = _shape(parts)
        self.device = torch.device(device)
        self.dtype = torch.float32 if precision == "float32" else torch.bfloat16
        if self.device.type == "cuda":  # cuDNN plans each length of a prompt anew, for tenths of a second
            torch.backends.cuda.enable_cudnn_sdp(False)
        self._kernels = _kernels(self.device, self.shape.head_size)
        self._report = _Report(progress, [*backbone.parameters(), *head.parameters()])
        tied = head.weight is parts.embed_tokens.weight
        self.embedding = quantised_table(self._moved(parts.embed_tokens.weight), precision)  # (V, hidden)
        table = self.embedding if tied else quantised_table(self._moved(head.weight), precision)
        self.output_ids, self._head, self.output_bias = _output(table, output)
        self._output_ids_on_host = None if self.output_ids is None else self.output_ids.cpu()
        self.layers = tuple(self._layer(layer, precision) for layer in parts.layers)
        self._norm = self._moved(parts.norm.weight)
        with torch.device("cpu"):  # that of a model on `meta` has no numbers
            self._rotary = type(parts.rotary_emb)(config=parts.config)

    @property
    def outputs(self) -> int:
        """How many ids the output layer knows."""
        return self._head.rows

    @property
    def memory_bytes(self) -> int:
        """What its weights take on the device; what several share counts once."""
        held = {}
        for tensor in self._tensors():
            held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return sum(held.values())

    @property
    def step_bytes(self) -> int:
        """What one decoded token reads: every layer and the output layer."""
        matrices = (m for layer in self.layers for m in (layer.qkv, layer.out, layer.gate_up, layer.down))
        return self._head.memory_bytes + sum(matrix.memory_bytes for matrix in matrices)

    def outputs_of(self, ids: Sequence[int]) -> Tensor:
        """The output layer's rows for these ids; ids that have none are left out. (R,) on the CPU"""
        wanted = torch.tensor(ids, dtype=torch.int64)
        if self._output_ids_on_host is None:
            return wanted
        rows = torch.searchsorted(self._output_ids_on_host, wanted).clamp(max=self.outputs - 1)
        return rows[self._output_ids_on_host[rows] == wanted]

    def rotation(self, positions: int) -> Tensor:
        """Cosines and sines of the first positions. (S, 2, D) float32"""
        numbers = torch.arange(positions)[None]
        cos, sin = self._rotary(torch.zeros(1, dtype=torch.float32), numbers)
        return torch.stack((cos[0], sin[0]), dim=1).to(self.device)

    def prefill(self, x: Tensor, rotation: Tensor, begin: int, cache: tuple[Tensor, Tensor]) -> Tensor:
        """Read a row's tokens in one pass, after `begin` that the cache holds.

        Args:
            x: (T, hidden), the embeddings
            rotation: (S, 2, D)
            cache: keys and values of the row, (layers, Hkv, S, D) each; written from `begin` to `begin + T`

        Returns:
            The logits after the last token. (outputs,) float32
        """
        end = begin + x.shape[0]
        cos, sin = rotation[begin:end].unbind(1)  # (T, D)
        for layer, keys, values in zip(self.layers, *cache, strict=True):
            heads = self._heads(
                layer, F.rms_norm(x, (self.shape.hidden,), layer.before_attention, self.shape.eps)
            )
            turning, new_values = heads.transpose(0, 1).split(
                (self.shape.heads + self.shape.kv_heads, self.shape.kv_heads)
            )  # (heads, T, D)
            turned = plain.rotated(turning, cos, sin)
            keys[:, begin:end] = turned[self.shape.heads :]
            values[:, begin:end] = new_values
            mixed = _attention(turned[: self.shape.heads], keys[:, :end], values[:, :end])
            x = plain.linear_add(mixed, layer.out, x)
            normed = F.rms_norm(x, (self.shape.hidden,), layer.before_mlp, self.shape.eps)
            x = plain.gated_linear_add(plain.linear(normed, layer.gate_up), layer.down, x)
        return self._logits(x[-1:])[0]

    def step(
        self,
        tokens: Tensor,
        positions: Tensor,
        rotation: Tensor,
        cache: tuple[Tensor, Tensor],
        span: int,
        *,
        added: Tensor | None = None,
        last: Tensor | None = None,
    ) -> Tensor:
        """Read one token of each row, with only the first `span` positions of the cache in sight.

        Args:
            tokens, positions: (B,) int64
            rotation: (S, 2, D)
            cache: (layers, B, Hkv, S, D) each; written at the positions
            added: (B, hidden), to the embeddings of the tokens; audio, for instance.
            last: (B,) int64, the last position in sight; None: its own. A cache that is a ring has more.

        Returns:
            The logits. (B, outputs) float32
        """
        run, eps = self._kernels, self.shape.eps
        seen = positions if last is None else last
        x = self.embedding.picked(tokens, self.dtype)  # (B, hidden)
        if added is not None:
            x = x + added
        for layer, keys, values in zip(self.layers, *cache, strict=True):
            qkv = self._qkv(layer, run.normed_linear(x, layer.before_attention, eps, layer.qkv))
            queries = run.rope_store(qkv, rotation, positions, keys, values, self.shape.heads)
            mixed = run.attend(queries, keys, values, seen, span)
            x = run.linear_add(mixed, layer.out, x)
            gate_up = run.normed_linear(x, layer.before_mlp, eps, layer.gate_up)
            x = run.gated_linear_add(gate_up, layer.down, x)
        return self._logits(x)

    def _logits(self, x: Tensor) -> Tensor:
        logits: Tensor = self._kernels.normed_linear(x, self._norm, self.shape.eps, self._head).float()
        return logits if self.output_bias is None else logits + self.output_bias

    def _heads(self, layer: Layer, normed: Tensor) -> Tensor:
        qkv = self._qkv(layer, plain.linear(normed, layer.qkv))
        return qkv.view(qkv.shape[0], -1, self.shape.head_size)  # (T, H + 2 Hkv, D)

    def _qkv(self, layer: Layer, qkv: Tensor) -> Tensor:
        """What some architectures do to queries and keys before they are rotated."""
        if layer.qkv_bias is not None:
            qkv = qkv + layer.qkv_bias
        if layer.query_norm is None or layer.key_norm is None:
            return qkv
        sizes = [self.shape.heads, self.shape.kv_heads, self.shape.kv_heads]
        queries, keys, values = qkv.view(qkv.shape[0], -1, self.shape.head_size).split(sizes, dim=1)
        queries = F.rms_norm(queries, (self.shape.head_size,), layer.query_norm, self.shape.eps)
        keys = F.rms_norm(keys, (self.shape.head_size,), layer.key_norm, self.shape.eps)
        whole: Tensor = torch.cat((queries, keys, values), dim=1).flatten(1)
        return whole

    def _layer(self, layer: Any, precision: str) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        biases = [p.bias for p in projections if p.bias is not None]
        norms = [getattr(attention, name, None) for name in ("q_norm", "k_norm")]
        return Layer(
            before_attention=self._moved(layer.input_layernorm.weight),
            qkv=self._fused(projections, precision),
            qkv_bias=torch.cat([self._moved(bias) for bias in biases]) if biases else None,
            query_norm=self._moved(norms[0].weight) if norms[0] is not None else None,
            key_norm=self._moved(norms[1].weight) if norms[1] is not None else None,
            out=self._fused((attention.o_proj,), precision),
            before_mlp=self._moved(layer.post_attention_layernorm.weight),
            gate_up=self._fused((mlp.gate_proj, mlp.up_proj), precision),
            down=self._fused((mlp.down_proj,), precision),
        )

    def _fused(self, linears: tuple[nn.Linear, ...], precision: str) -> Weight:
        """One weight for several layers with the same input, quantised on the device, matrix by matrix."""
        moved = [self._moved(linear.weight) for linear in linears]
        matrix = torch.cat(moved) if len(moved) > 1 else moved[0]
        weight = quantised(matrix, precision)
        if weight.data is matrix and linears[0].weight.device == self.device:
            for linear, rows in zip(linears, matrix.split([len(m) for m in moved]), strict=True):
                linear.weight.data = rows
        return weight

    def _moved(self, parameter: Tensor) -> Tensor:
        self._report.add(parameter)
        return on_device(parameter, self.device, self.dtype)

    def _tensors(self) -> list[Tensor]:
        found = [*self.embedding.tensors(), *self._head.tensors(), self._norm]
        for layer in self.layers:
            for part in (layer.qkv, layer.out, layer.gate_up, layer.down):
                found += part.tensors()
            found += [layer.before_attention, layer.before_mlp]
            found += [t for t in (layer.qkv_bias, layer.query_norm, layer.key_norm) if t is not None]
        return found


class _Report:
    """Counts the bytes of the parameters that were taken over."""

    def __init__(self, progress: Progress | None, parameters: list[nn.Parameter]) -> None:
        self._progress = progress
        self._total_bytes = sum({id(p): p.nbytes for p in parameters}.values())
        self._done_bytes = 0

    def add(self, parameter: Tensor) -> None:
        self._done_bytes += parameter.nbytes
        if self._progress:
            self._progress(min(self._done_bytes, self._total_bytes), self._total_bytes)


def _shape(backbone: Any) -> Shape:
    config = backbone.config
    window = getattr(config, "sliding_window", None)
    if getattr(config, "hidden_act", None) not in ACTIVATIONS or (
        window and getattr(config, "use_sliding_window", True)
    ):
        raise EngineLoadError(
            f"the decode loop does not know the architecture {config.model_type}",
            "give a checkpoint of a Llama, Mistral (without sliding window), Qwen2 or Qwen3 model",
        )
    return Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_size=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        vocabulary=config.vocab_size,
        eps=config.rms_norm_eps,
    )


def _kernels(device: torch.device, head_size: int) -> ModuleType:
    if device.type != "cuda":
        return plain
    try:
        if head_size & (head_size - 1):
            raise ValueError(f"heads of {head_size} numbers, which is no power of two")
        from voxterm.decoding import fused

        with torch.cuda.device(device):
            fused.probe(device)
    except Exception as error:  # no Triton, no C compiler for it, a GPU that it does not know: each its own
        warnings.warn(f"decoding slowly, without Triton's kernels: {error}", RuntimeWarning, stacklevel=2)
        return plain
    return fused


def _output(table: Weight, output: OutputIds | None) -> tuple[Tensor | None, Weight, Tensor | None]:
    """Ids of the output layer's rows (None: the row's own number), its matrix, and what forbids some rows."""
    if output is None:
        return None, table, None
    first, last = output.ids[0], output.ids[-1]
    device = table.data.device
    ids = torch.tensor(output.ids, device=device)
    if not output.is_dense:
        scale = None if table.scale is None else table.scale[ids]
        return ids, Weight(table.data[ids], table.bits, scale), None
    bias = torch.full((last + 1 - first,), float("-inf"), device=device)
    bias[ids - first] = 0.0
    return torch.arange(first, last + 1, device=device), table.part(first, last + 1), bias


def _attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention of the last T of S positions. (H, T, D), (Hkv, S, D) → (T, H · D)"""
    length, seen = queries.shape[1], keys.shape[1]
    mask = None if length in (1, seen) else causal_lower_right(length, seen)
    mixed = F.scaled_dot_product_attention(
        queries[None], keys[None], values[None], attn_mask=mask, is_causal=length == seen, enable_gqa=True
    )
    return mixed[0].transpose(0, 1).reshape(length, -1)
