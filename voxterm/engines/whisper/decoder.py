"""Whisper's decoder on one device: a static cache of its own tokens, and one of what is heard.

The keys and values of the encoded audio are computed once for all steps. A prompt is read in one pass; then
each token is one captured step, with everything it reads and writes in tensors that stay in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxterm.decoding import Sampling
from voxterm.decoding.graph import CapturedStep, sent
from voxterm.decoding.sampling import RowSampling, draw
from voxterm.decoding.weights import on_device, placed_module
from voxterm.engines.whisper.text import WhisperVocabulary

FRAMES = 1500
"""The encoder makes so many of a window of 30 s."""


@dataclass(frozen=True)
class _Layer:
    """One layer. Its norms are modules; queries, keys and values of its own tokens are one matrix."""

    norm: nn.LayerNorm
    qkv: Tensor  # (3 · hidden, hidden)
    qkv_bias: Tensor
    out: nn.Linear
    heard_norm: nn.LayerNorm
    heard_query: nn.Linear
    heard_key: nn.Linear
    heard_value: nn.Linear
    heard_out: nn.Linear
    mlp_norm: nn.LayerNorm
    up: nn.Linear
    down: nn.Linear


@dataclass(frozen=True)
class Step:
    """A token, the logarithm of its probability, and how probable the watched ids were in its place."""

    id: int
    log_probability: float
    watched: float


class WhisperDecoder:
    """Decodes one transcript at a time of what `heard` holds. Use it on one stream, in inference mode."""

    def __init__(
        self,
        module: Any,
        output: Tensor | None,
        vocabulary: WhisperVocabulary,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """Take over the decoder of Transformers' model, which may be anywhere.

        Args:
            output: the output layer (V, hidden), where it is not the embedding.
            vocabulary: says what must not be said, and what ends a sentence, which is watched.
        """
        placed_module(module, device, dtype)
        self._heads = module.config.decoder_attention_heads
        self._gelu = module.layers[0].activation_fn
        self._layers = tuple(_layer(layer) for layer in module.layers)
        self._norm = module.layer_norm
        self._places = module.embed_positions.weight.data  # (S, hidden)
        self._embedding = module.embed_tokens.weight.data  # (V, hidden)
        self._table = self._embedding if output is None else on_device(output, device, dtype)
        self.weight_bytes = sum(parameter.nbytes for parameter in module.parameters())
        self.weight_bytes += 0 if output is None else self._table.nbytes
        self._device = device
        self._vocabulary = vocabulary
        self.positions, hidden = self._places.shape
        size = (len(self._layers), self._heads, hidden // self._heads)
        own = (2, *size[:2], self.positions, size[2])
        self._own = torch.zeros(own, dtype=dtype, device=device)  # keys, values: (2, layers, H, S, D)
        self.heard = torch.zeros((2, *size[:2], FRAMES, size[2]), dtype=dtype, device=device)
        self._state = _State(vocabulary, device)
        self._step = CapturedStep(self._run, device)

    @property
    def cache_bytes(self) -> int:
        """What its static tensors take."""
        return self._own.nbytes + self.heard.nbytes

    def hear(self, frames: Tensor) -> Tensor:
        """Take up encoded audio (1500, hidden): the keys and values of all layers, which it returns."""
        for number, layer in enumerate(self._layers):
            self.heard[0, number] = self._split(layer.heard_key(frames))
            self.heard[1, number] = self._split(layer.heard_value(frames))
        return self.heard

    def capture(self) -> None:
        """Record the step; what is in the cache is spoilt."""
        self._state.position.zero_()
        self._step.capture()

    def close(self) -> None:
        self._step.release()

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read a prompt from the first position on. The logits after its first and its last id: (2, V)"""
        given = sent(torch.tensor(ids), self._device)
        x = self._passed(given, torch.arange(len(ids), device=self._device))
        self._state.position.fill_(len(ids))
        return self._logits(x[[0, -1]])

    def generate(
        self, logits: Tensor, limit: int, temperature: float, seed: int, is_begin: bool
    ) -> Iterator[Step]:
        """The tokens after a prompt that was read, the end among them, at most `limit`.

        Args:
            logits: after its last id. (V,)
            limit: no more than the positions that are left.
            is_begin: no text stands in the prompt: what must not begin one is left out.
        """
        state = self._state
        state.set(temperature, seed, self.positions)
        state.choose(logits + state.suppressed_at_begin if is_begin else logits, temperature > 0)
        for number in range(limit):
            step = state.told()
            yield step
            if step.id == self._vocabulary.end_id or number + 1 == limit:
                return
            if temperature > 0:  # rare: not worth a graph
                self._run(sampled=True)
            else:
                self._step.replay()

    def _run(self, sampled: bool = False) -> None:
        """One token: the last one read, the next one chosen."""
        state = self._state
        x = self._passed(state.token, state.position)
        state.position += 1
        state.choose(self._logits(x)[0], sampled)

    def _passed(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Read tokens (T,) at positions (T,), which follow those that the cache holds. (T, hidden)"""
        x: Tensor = self._embedding[ids] + self._places[positions]
        seen = torch.arange(self.positions, device=self._device) <= positions[:, None]  # (T, S)
        for number, layer in enumerate(self._layers):
            queries, keys, values = F.linear(layer.norm(x), layer.qkv, layer.qkv_bias).chunk(3, dim=-1)
            own_keys, own_values = self._own[:, number].unbind(0)  # (H, S, D)
            own_keys.index_copy_(1, positions, self._split(keys))
            own_values.index_copy_(1, positions, self._split(values))
            x = x + layer.out(self._mixed(queries, own_keys, own_values, seen))
            queries = layer.heard_query(layer.heard_norm(x))
            x = x + layer.heard_out(self._mixed(queries, self.heard[0, number], self.heard[1, number]))
            x = x + layer.down(self._gelu(layer.up(layer.mlp_norm(x))))
        return x

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None = None) -> Tensor:
        """Attention. (T, hidden), (H, S, D) → (T, hidden)"""
        mixed = F.scaled_dot_product_attention(
            self._split(queries)[None], keys[None], values[None], attn_mask=seen
        )
        return mixed[0].transpose(0, 1).flatten(1)

    def _split(self, x: Tensor) -> Tensor:
        """(T, hidden) → (H, T, D)"""
        return x.view(len(x), self._heads, -1).transpose(0, 1)

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self._norm(x), self._table).float()


class _State:
    """What a step reads and writes beside the cache, in tensors that stay in place."""

    def __init__(self, vocabulary: WhisperVocabulary, device: torch.device) -> None:
        self._device = device
        self._outputs = vocabulary.size
        self.token = torch.zeros(1, dtype=torch.int64, device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)
        self.suppressed = self._forbidding(vocabulary.suppressed)
        self.suppressed_at_begin = self._forbidding(vocabulary.suppressed_at_begin)
        self._watched = torch.tensor(vocabulary.sentence_ends(), device=device)
        self._told = torch.zeros(3, device=device)
        self._sampling = RowSampling(1, device)
        self._uniform = torch.zeros(0, 1)
        self._drawn = 0

    def set(self, temperature: float, seed: int, draws: int) -> None:
        """How the next tokens are chosen. The random numbers are the host's: the same on every device."""
        self._drawn = 0
        if temperature > 0:
            self._sampling.set([Sampling(temperature)], self._outputs)
            numbers = torch.rand(draws, 1, generator=torch.Generator().manual_seed(seed))
            self._uniform = sent(numbers, self._device)

    def choose(self, logits: Tensor, sampled: bool) -> None:
        """The next token, of logits (V,)."""
        log_probabilities = (logits + self.suppressed).log_softmax(dim=-1)
        if sampled:
            index = draw(log_probabilities[None], self._uniform[self._drawn], self._sampling)
            self._drawn += 1
        else:
            index = log_probabilities.argmax(dim=-1, keepdim=True)
        self.token.copy_(index)
        watched = log_probabilities[self._watched].exp().sum(dim=-1, keepdim=True)
        self._told.copy_(torch.cat((index.float(), log_probabilities[index], watched)))

    def told(self) -> Step:
        """What was chosen; waits for it, with the GIL released."""
        token, log_probability, watched = self._told.cpu().tolist()
        return Step(int(token), log_probability, watched)

    def _forbidding(self, ids: Sequence[int]) -> Tensor:
        """(V,) 0, and −∞ for these ids."""
        bias = torch.zeros(self._outputs)
        bias[torch.tensor(ids, dtype=torch.int64)] = float("-inf")
        return bias.to(self._device)


def _layer(layer: Any) -> _Layer:
    own, heard = layer.self_attn, layer.encoder_attn
    no_bias = torch.zeros_like(own.q_proj.bias)  # keys have none
    return _Layer(
        norm=layer.self_attn_layer_norm,
        qkv=torch.cat([projection.weight.data for projection in (own.q_proj, own.k_proj, own.v_proj)]),
        qkv_bias=torch.cat([own.q_proj.bias, no_bias, own.v_proj.bias]),
        out=own.out_proj,
        heard_norm=layer.encoder_attn_layer_norm,
        heard_query=heard.q_proj,
        heard_key=heard.k_proj,
        heard_value=heard.v_proj,
        heard_out=heard.out_proj,
        mlp_norm=layer.final_layer_norm,
        up=layer.fc1,
        down=layer.fc2,
    )
