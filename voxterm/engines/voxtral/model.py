"""Voxtral's weights: from a checkpoint of Transformers to an encoder of audio and a decoder of text.

The checkpoint stays mapped from its files: each weight goes straight to the device, at its precision there.
The encoder and its projector are kept in bf16 (float32 where that was asked for) whatever the precision of
the text model.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from voxterm.checkpoints import Checkpoint
from voxterm.decoding import Decoder
from voxterm.decoding.graph import CapturedFunction
from voxterm.decoding.weights import on_device, placed_module
from voxterm.engines.architectures import from_transformers
from voxterm.engines.log_mel import WINDOW_FRAMES, LogMel
from voxterm.engines.mapped import config_of, empty, mapped
from voxterm.engines.protocols import LoadProgress, Placement, Samples
from voxterm.engines.voxtral.prompt import AUDIO_ID, TOKENS_PER_WINDOW
from voxterm.errors import CheckpointError

ARCHITECTURES = frozenset({"VoxtralForConditionalGeneration"})
VOCABULARY = 131_072
MEL_BINS = 128

_NAMES = (
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^language_model\.model\."), "model.language_model."),
    (re.compile(r"^(audio_tower|multi_modal_projector)\."), r"model.\1."),
)
"""The hub's names of the weights are those of Transformers before its release 5."""


class AudioEncoder:
    """Audio → the vectors that stand in a prompt for its [AUDIO] ids, 375 for each window of 30 s."""

    def __init__(self, tower: Any, projector: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        exact = on_device(tower.embed_positions.weight, device, torch.float32)  # as Transformers keeps them
        self._tower = placed_module(tower, device, dtype)
        self._tower.embed_positions.weight = nn.Parameter(exact, requires_grad=False)
        self._projector = placed_module(projector, device, dtype)
        self._dtype = dtype
        self._joined = tower.config.intermediate_size  # the width of the frames that are one token
        self._log_mel = LogMel(tower.config.num_mel_bins, device)
        self._window = CapturedFunction(self._encoded_window, device)

    @property
    def memory_bytes(self) -> int:
        parameters = [*self._tower.parameters(), *self._projector.parameters()]
        return sum(parameter.nbytes for parameter in parameters)

    def __call__(self, samples: Samples) -> Tensor:
        """float32 samples (N,) at 16 kHz → (375 · windows, hidden) of the text model."""
        mel = self._log_mel(torch.from_numpy(samples)).to(self._dtype)
        return torch.cat([self._window(window).clone() for window in mel.split(1)])

    def close(self) -> None:
        self._window.release()

    def _encoded_window(self, mel: Tensor) -> Tensor:
        """(1, 128, 3000) → (375, hidden)"""
        frames: Tensor = self._tower(mel).last_hidden_state  # (1, 1500, width)
        encoded: Tensor = self._projector(frames.reshape(-1, self._joined))
        return encoded


def load_model(
    checkpoint: Checkpoint, placement: Placement, progress: LoadProgress
) -> tuple[AudioEncoder, Decoder]:
    """Take the model up where it was placed.

    Raises:
        CheckpointError: it is no Voxtral, or weights of it are missing.
        torch.OutOfMemoryError: it does not fit.
    """
    model = _mapped(checkpoint)
    dtype = torch.float32 if placement.precision == "float32" else torch.bfloat16
    encoder = AudioEncoder(
        model.model.audio_tower, model.model.multi_modal_projector, torch.device(placement.device), dtype
    )
    taken_bytes = encoder.memory_bytes
    progress(taken_bytes, checkpoint.weight_bytes)
    decoder = Decoder(
        model.model.language_model,
        model.lm_head,
        placement.device,
        placement.precision,
        progress=lambda done, total: progress(taken_bytes + done, taken_bytes + total),
    )
    return encoder, decoder


def _mapped(checkpoint: Checkpoint) -> Any:
    """The model of Transformers, its weights on the CPU and in the checkpoint's files still."""
    model = empty(from_transformers("VoxtralForConditionalGeneration"), _config(checkpoint))
    mapped(model, checkpoint, _NAMES)
    return model


def _config(checkpoint: Checkpoint) -> Any:
    config = config_of(checkpoint, from_transformers("VoxtralConfig"))
    text, audio = config.text_config, config.audio_config
    frames = audio.max_source_positions * audio.hidden_size / audio.intermediate_size
    for what, value, needed in (
        ("a vocabulary of", text.vocab_size, VOCABULARY),
        ("the audio token", config.audio_token_id, AUDIO_ID),
        ("mel bins,", audio.num_mel_bins, MEL_BINS),
        ("half the frames of a window,", audio.max_source_positions, WINDOW_FRAMES // 2),
        ("audio tokens of a window,", frames, TOKENS_PER_WINDOW),
    ):
        if value != needed:
            raise CheckpointError(
                f"{checkpoint.name} is no Voxtral this program knows: {what} {value}, not {needed}",
                "name Voxtral Mini 3B or a model fine-tuned from it",
            )
    return config
