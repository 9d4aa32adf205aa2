"""Which tensors a model has by its config, and how many bytes they are in each precision.

In int8 and int4 the matrices of the decoder's layers are quantised, and the tables (embeddings and output
layer) are held in int8 in both: with them in bf16 the two models do not fit into 8 GB. Norms, audio tower
and projector stay in bf16.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # what is declared is read with the settings, before numpy is needed
    from voxterm.engines.protocols import Precision

Tensors: TypeAlias = Iterable[tuple[str, tuple[int, ...]]]
"""Name and shape of every tensor."""

Matrix: TypeAlias = tuple[int, int]
"""Outputs and inputs of a linear layer, or rows and columns of a table."""

GROUP = 128
"""Inputs that share a scale and a zero point in int4."""

AUDIO_TOWER = "audio_tower"
_MATRIX = re.compile(r"(?:^|\.)layers\.\d+\.(?:self_attn\.[qkvo]|mlp\.(?:gate|up|down))_proj\.weight")
_TABLE = re.compile(r"(?:^|\.)(?:embed_tokens|lm_head)\.weight")


@dataclass(frozen=True, slots=True)
class Decoder:
    """The sizes of a Llama-shaped decoder."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    vocabulary: int
    is_tied: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Decoder:
        """From the config of Transformers."""
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        return cls(
            layers=config["num_hidden_layers"],
            hidden=hidden,
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_size=config.get("head_dim") or hidden // heads,
            mlp=config["intermediate_size"],
            vocabulary=config["vocab_size"],
            is_tied=bool(config.get("tie_word_embeddings", False)),
        )

    def kv_bytes(self, rows: int) -> int:
        """Bytes in the KV cache for one position of all rows: keys and values, in bf16."""
        return 2 * self.layers * self.kv_heads * self.head_size * 2 * rows

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        yield "model.embed_tokens.weight", (self.vocabulary, self.hidden)
        for layer in range(self.layers):
            place = f"model.layers.{layer}"
            yield f"{place}.self_attn.q_proj.weight", (queries, self.hidden)
            yield f"{place}.self_attn.k_proj.weight", (keys, self.hidden)
            yield f"{place}.self_attn.v_proj.weight", (keys, self.hidden)
            yield f"{place}.self_attn.o_proj.weight", (self.hidden, queries)
            yield f"{place}.mlp.gate_proj.weight", (self.mlp, self.hidden)
            yield f"{place}.mlp.up_proj.weight", (self.mlp, self.hidden)
            yield f"{place}.mlp.down_proj.weight", (self.hidden, self.mlp)
            yield f"{place}.input_layernorm.weight", (self.hidden,)
            yield f"{place}.post_attention_layernorm.weight", (self.hidden,)
        yield "model.norm.weight", (self.hidden,)
        if not self.is_tied:
            yield "lm_head.weight", (self.vocabulary, self.hidden)


@dataclass(frozen=True, slots=True)
class Encoder:
    """The sizes of Whisper's encoder."""

    layers: int
    hidden: int
    mlp: int
    positions: int
    mel_bins: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Encoder:
        """From the config of Transformers."""
        return cls(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            mlp=config["intermediate_size"],
            positions=config["max_source_positions"],
            mel_bins=config["num_mel_bins"],
        )

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        hidden, mlp = self.hidden, self.mlp
        for name, inputs in (("conv1", self.mel_bins), ("conv2", hidden)):
            yield f"{AUDIO_TOWER}.{name}.weight", (hidden, inputs, 3)
            yield f"{AUDIO_TOWER}.{name}.bias", (hidden,)
        yield f"{AUDIO_TOWER}.embed_positions.weight", (self.positions, hidden)
        for layer in range(self.layers):
            place = f"{AUDIO_TOWER}.layers.{layer}"
            for name in ("q", "k", "v", "out"):
                yield f"{place}.self_attn.{name}_proj.weight", (hidden, hidden)
                if name != "k":  # Whisper's keys have no bias
                    yield f"{place}.self_attn.{name}_proj.bias", (hidden,)
            for name, outputs, inputs in (("fc1", mlp, hidden), ("fc2", hidden, mlp)):
                yield f"{place}.{name}.weight", (outputs, inputs)
                yield f"{place}.{name}.bias", (outputs,)
            for name in ("self_attn_layer_norm", "final_layer_norm"):
                yield f"{place}.{name}.weight", (hidden,)
                yield f"{place}.{name}.bias", (hidden,)
        yield f"{AUDIO_TOWER}.layer_norm.weight", (hidden,)
        yield f"{AUDIO_TOWER}.layer_norm.bias", (hidden,)


def config_tensors(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors of a Llama, or of a Voxtral: text model, audio tower, the projector between them."""
    if "text_config" not in config:
        yield from Decoder.of(config).tensors()
        return
    decoder, encoder = Decoder.of(config["text_config"]), Encoder.of(config["audio_config"])
    yield from decoder.tensors()
    yield from encoder.tensors()
    yield (
        "multi_modal_projector.linear_1.weight",
        (decoder.hidden, encoder.mlp),
    )  # four frames of the tower at once
    yield "multi_modal_projector.linear_2.weight", (decoder.hidden, decoder.hidden)


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of a model by what becomes of them when it is quantised."""

    matrices: tuple[Matrix, ...]
    tables: tuple[Matrix, ...]
    other: int  # numbers in all other tensors

    @classmethod
    def of(cls, tensors: Tensors, is_tied: bool) -> Weights:
        """`is_tied`: the output layer is the table of embeddings, even where a file holds it once more."""
        matrices, tables, other = [], [], 0
        for name, shape in tensors:
            if is_tied and name.endswith("lm_head.weight"):
                continue
            if len(shape) == 2 and AUDIO_TOWER not in name and _MATRIX.search(name):
                matrices.append((shape[0], shape[1]))
            elif len(shape) == 2 and _TABLE.search(name):
                tables.append((shape[0], shape[1]))
            else:
                other += math.prod(shape)
        return cls(tuple(matrices), tuple(tables), other)

    @property
    def count(self) -> int:
        """How many numbers there are in all."""
        return sum(math.prod(matrix) for matrix in (*self.matrices, *self.tables)) + self.other

    def memory_bytes(self, precision: Precision) -> int:
        """What the model's weights take."""
        tables_bytes = sum(table_bytes(table, precision) for table in self.tables)
        return self.layers_bytes(precision) + tables_bytes + self.other * (4 if precision == "float32" else 2)

    def layers_bytes(self, precision: Precision) -> int:
        """What the matrices of the decoder's layers take: one decoded token reads them all."""
        return sum(matrix_bytes(matrix, precision) for matrix in self.matrices)


def matrix_bytes(matrix: Matrix, precision: Precision) -> int:
    """int8: a bf16 scale for each row; int4: a bf16 scale and zero point for each group of a row."""
    rows, columns = matrix
    if precision == "float32":
        return 4 * rows * columns
    if precision == "bf16":
        return 2 * rows * columns
    if precision == "int4" and columns % (2 * GROUP) == 0:  # the two halves of a row share its bytes
        return rows * columns // 2 + 4 * rows * (columns // GROUP)
    return rows * columns + 2 * rows


def table_bytes(table: Matrix, precision: Precision) -> int:
    """Embedding tables and output layers get no fewer than 8 bits."""
    return matrix_bytes(table, "int8" if precision == "int4" else precision)
