"""Voxtral Realtime's ears: samples → log-mel → one vector for each frame of 80 ms, as they come.

The encoder is causal. What it must remember of the past is bounded: the last columns before each convolution,
and the keys and values of the last 15 s, in a ring. Its layers are those of Transformers; only the two caches
that they are handed are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from voxterm.decoding.graph import CapturedFunction, sent
from voxterm.decoding.weights import placed_module
from voxterm.engines.log_mel import (
    FFT_SAMPLES,
    HOP_SAMPLES,
    QUIETEST_POWER,
    RANGE_LOG10,
    mel_filters,
)
from voxterm.engines.protocols import Samples
from voxterm.engines.voxtral_realtime.prompt import FRAME_SAMPLES

MEL_BINS = 128
MEL_COLUMNS = FRAME_SAMPLES // HOP_SAMPLES  # 8 of a frame
POSITIONS = MEL_COLUMNS // 2  # 4 of a frame: the second convolution takes every other column

LOUDEST_LOG10 = 1.5
"""The loudest power of any audio, where Whisper takes that of the audio at hand: the model's
`global_log_mel_max`."""

LOOK_BACK_SAMPLES = FFT_SAMPLES // 2
LOOK_AHEAD_SAMPLES = FFT_SAMPLES // 2 - HOP_SAMPLES
"""40, 2.5 ms: so much of the next frame its last column reaches into."""


def chunk_samples(frames: int) -> int:
    """How many samples so many frames are made of, with what they share with their neighbours."""
    return LOOK_BACK_SAMPLES + frames * FRAME_SAMPLES + LOOK_AHEAD_SAMPLES


class StreamingEncoder:
    """Frame after frame of one stream. `begin` forgets; `moment` and `go_back` undo what came in between."""

    def __init__(
        self, tower: Any, projector: Any, device: torch.device, dtype: torch.dtype, spare_frames: int
    ) -> None:
        """`spare_frames`: at most so many may be encoded after a moment, to go back to it."""
        self._tower = placed_module(tower, device, dtype)
        self._projector = placed_module(projector, device, dtype)
        self._rotary = type(tower.rotary_emb)(config=tower.config).to(device)  # on `meta` it has no numbers
        self._device, self._dtype = device, dtype
        self._joined, self._hidden = projector.linear_1.in_features, projector.linear_2.out_features
        self._log_mel = _LogMel(device)
        self._columns = _LastColumns(tower.embedder, device, dtype)
        self._ring = _Ring(tower.config, spare_frames, device, dtype)
        self._first = torch.zeros(1, dtype=torch.int64, device=device)  # position of the chunk being encoded
        self._frames = 0
        self._spare_frames = spare_frames
        self._captured: dict[int, CapturedFunction] = {}

    @property
    def memory_bytes(self) -> int:
        """Of the weights."""
        parameters = [*self._tower.parameters(), *self._projector.parameters()]
        return sum(parameter.nbytes for parameter in parameters)

    @property
    def cache_bytes(self) -> int:
        return self._ring.keys.nbytes + self._ring.values.nbytes

    def begin(self) -> None:
        """A new stream."""
        self._frames = 0
        self._columns.clear()

    def __call__(self, samples: Samples) -> Tensor:
        """The next frames.

        Args:
            samples: (chunk_samples(n),) float32 at 16 kHz

        Returns:
            (n, hidden) of the text model
        """
        mel = self._log_mel(sent(torch.from_numpy(samples), self._device)).to(self._dtype)
        self._first.fill_(self._frames * POSITIONS)
        frames = mel.shape[-1] // MEL_COLUMNS
        encode: Callable[[Tensor], Tensor] = self._captured.get(frames, self._encoded)
        vectors = torch.empty(frames, self._hidden, dtype=self._dtype, device=self._device)
        vectors.copy_(encode(mel))  # what a captured one gives is overwritten by the next
        self._frames += frames
        return vectors

    def moment(self) -> tuple[int, list[Tensor]]:
        """Where the stream is now."""
        return self._frames, [held.clone() for held in self._columns.held.values()]

    def go_back(self, moment: tuple[int, list[Tensor]]) -> None:
        """As if nothing had come since."""
        self._frames, columns = moment
        for held, was in zip(self._columns.held.values(), columns, strict=True):
            held.copy_(was)

    def warm_up(self) -> None:
        """Capture what a stream is made of: single frames, and the silence after it. Begins anew."""
        for frames in (1, self._spare_frames - 1):
            captured = CapturedFunction(self._encoded, self._device)
            self._captured[frames] = captured
            silence = torch.zeros(1, MEL_BINS, frames * MEL_COLUMNS, dtype=self._dtype, device=self._device)
            captured(silence)
        self.begin()

    def close(self) -> None:
        for captured in self._captured.values():
            captured.release()
        self._captured.clear()

    def _encoded(self, mel: Tensor) -> Tensor:
        """(1, 128, 8 n) → (n, hidden)"""
        x = self._tower.embedder(mel, self._columns)  # (1, 4 n, width)
        positions = self._first + torch.arange(x.shape[1], device=self._device)
        seen = self._ring.turn_to(positions)
        rotation = self._rotary(x, positions[None])
        for layer in self._tower.layers:
            x = layer(x, attention_mask=seen, position_embeddings=rotation, past_key_values=self._ring)
        vectors: Tensor = self._projector(self._tower.norm(x).reshape(-1, self._joined))
        self._columns.keep()
        return vectors


class _LogMel:
    """Whisper's log-mel of a stretch in the middle of a stream, against one loudness for all."""

    def __init__(self, device: torch.device) -> None:
        self._filters = mel_filters(MEL_BINS, device)
        self._taper = torch.hann_window(FFT_SAMPLES, device=device)

    def __call__(self, samples: Tensor) -> Tensor:
        """(chunk_samples(n),) → (1, 128, 8 n) float32"""
        waves = torch.stft(
            samples[None], FFT_SAMPLES, HOP_SAMPLES, window=self._taper, center=False, return_complex=True
        )
        levels = (self._filters @ waves.abs() ** 2).clamp(min=QUIETEST_POWER).log10()
        return (levels.clamp(min=LOUDEST_LOG10 - RANGE_LOG10) + 4.0) / 4.0


class _LastColumns:
    """What the convolutions saw last, which stands before what they see next; before a stream, nothing.

    A padding cache as `VoxtralRealtimeEmbedder` takes one. What is new counts from `keep` on: a pass that
    failed half-way can be made again.
    """

    def __init__(self, embedder: Any, device: torch.device, dtype: torch.dtype) -> None:
        self.held = {
            conv.cache_key: torch.zeros(1, conv.in_channels, conv.left_pad, device=device, dtype=dtype)
            for conv in (embedder.conv1, embedder.conv2)
        }
        self._next: dict[str, Tensor] = {}

    def update(self, columns: Tensor, key: str, _: nn.Module) -> Tensor:
        """(1, C, T) → (1, C, left_pad + T)"""
        held = self.held[key]
        padded = torch.cat((held, columns), dim=-1)
        self._next[key] = padded[..., -held.shape[-1] :]
        return padded

    def keep(self) -> None:
        for key, held in self.held.items():
            held.copy_(self._next.pop(key))

    def clear(self) -> None:
        for held in self.held.values():
            held.zero_()


class _Ring:
    """Keys and values of the last positions, (layers, 1, H, R, D) each: a cache for Transformers' layers.

    Position p lies in slot p mod R. R leaves room beyond the window: what was written after a moment that is
    gone back to has overwritten nothing that is in sight from there.
    """

    def __init__(self, config: Any, spare_frames: int, device: torch.device, dtype: torch.dtype) -> None:
        self._window = config.sliding_window
        needed = self._window - 1 + POSITIONS * spare_frames
        self._slots = torch.arange(
            needed + -needed % 8, device=device
        )  # attention likes rows of whole eights
        size = (config.num_hidden_layers, 1, config.num_attention_heads, len(self._slots), config.head_dim)
        self.keys = torch.zeros(size, dtype=dtype, device=device)
        self.values = torch.zeros(size, dtype=dtype, device=device)
        self._written = self._slots[:0]

    def turn_to(self, positions: Tensor) -> Tensor:
        """Say where the next keys and values go: (T,) in order. What each of them sees, (1, 1, T, R) bool."""
        size = len(self._slots)
        self._written = positions % size
        last = positions[-1:]
        held = last - (last - self._slots) % size  # (R,) the position whose keys each slot has
        back = positions[:, None] - held  # (T, R)
        seen: Tensor = (held >= 0) & (back >= 0) & (back < self._window)
        return seen[None, None]

    def update(self, keys: Tensor, values: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Put in (1, H, T, D) each; all there is, (1, H, R, D) each."""
        self.keys[layer].index_copy_(2, self._written, keys)
        self.values[layer].index_copy_(2, self._written, values)
        return self.keys[layer], self.values[layer]
