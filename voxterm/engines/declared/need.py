"""What a model needs of a memory, at each precision and context: the terms in which a plan is made.

Weights and KV cache are exact; activations, graphs and what a codec works with are estimates, named so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what is declared is read with the settings, before numpy is needed
    from voxterm.engines.protocols import Precision

GRAPHS_BYTES = 80_000_000
"""Estimate: the captured steps of a model, one for each span of the cache, greedy and sampled."""

SPEECH_TOKENS_PER_S = 82.0
"""Orpheus: seven tokens are a frame of 2048 samples at 24 kHz."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a model takes at one precision and context, in bytes."""

    weights_bytes: int
    kv_cache_bytes: int
    activations_bytes: int
    codec_bytes: int
    graphs_bytes: int

    @property
    def total_bytes(self) -> int:
        return (
            self.weights_bytes
            + self.kv_cache_bytes
            + self.activations_bytes
            + self.codec_bytes
            + self.graphs_bytes
        )


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """What a model needs, and what its role in a conversation is."""

    model: str  # its key in `Plan.placements`
    title: str
    weights_bytes: Mapping[Precision, int]
    step_bytes: Mapping[Precision, int]  # weights that one decoded token reads; 0: it decodes none
    contexts: tuple[int, ...]  # tokens of a row that it may have, the best first
    stand_in: str  # the embedded engines that can take its role, and what they do in it
    importance: int  # of two models that do not fit together the one with more stays
    kv_bytes: int = 0  # of one position of all rows
    prefill_bytes: int = 0  # estimate: activations of one token of a prompt
    prefill_tokens: int | None = None  # the longest prompt; None: the whole context
    encoder_bytes: int = 0  # estimate: activations of the audio encoder; never at the same time as prefill
    dense_bytes: int = 0  # a quantised matrix made dense, while a prompt is read
    fixed_bytes: int = 0  # estimate: logits and sampling
    codec_bytes: int = 0
    graphs_bytes: int = GRAPHS_BYTES
    real_time_tokens_per_s: float | None = None  # what it must reach to be of use
    cpu_tokens_per_s: float = SPEECH_TOKENS_PER_S  # the same on a CPU
    suits_cpu: bool = False  # it is small enough to keep up on any CPU
    loss: Mapping[Precision, int] = field(default_factory=dict)  # what it counts to give up precision
    cost: Mapping[Precision, str] = field(default_factory=dict)  # the same in words

    def parts(self, precision: Precision, context_tokens: int) -> Parts:
        prefill_tokens = min(self.prefill_tokens or context_tokens, context_tokens)
        is_quantised = precision in ("int8", "int4")
        return Parts(
            weights_bytes=self.weights_bytes[precision],
            kv_cache_bytes=self.kv_bytes * context_tokens * (2 if precision == "float32" else 1),
            activations_bytes=max(self.encoder_bytes, self.prefill_bytes * prefill_tokens)
            + self.dense_bytes * is_quantised
            + self.fixed_bytes,
            codec_bytes=self.codec_bytes,
            graphs_bytes=self.graphs_bytes,
        )

    def tokens_per_s(
        self, precision: Precision, context_tokens: int, bandwidth_bytes_s: float | None
    ) -> float | None:
        """Tokens a second that reading alone allows, with the cache half full.

        None where the memory's speed is not known.
        """
        read_bytes = self.step_bytes[precision] + self.kv_bytes * context_tokens // 2
        return bandwidth_bytes_s / read_bytes if bandwidth_bytes_s and read_bytes else None
