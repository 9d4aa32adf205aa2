"""Voxtral Realtime's weights: from a checkpoint of Transformers to a streaming encoder and a decoder of text.

How far the text lags behind the speech is told to the text model as a factor of a norm in every layer. The
delay is settled when the model is loaded, so the factors become part of those norms' weights, and the text
model is then a plain Llama.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from voxterm.checkpoints import Checkpoint
from voxterm.decoding import Decoder
from voxterm.decoding.weights import on_device, placed_module
from voxterm.engines.architectures import from_transformers
from voxterm.engines.mapped import config_of, empty, mapped
from voxterm.engines.protocols import LoadProgress, Placement
from voxterm.engines.voxtral_realtime.encoder import MEL_BINS, MEL_COLUMNS, POSITIONS, StreamingEncoder
from voxterm.engines.voxtral_realtime.prompt import REMEDY, RealtimePrompt
from voxterm.errors import CheckpointError

ARCHITECTURES = frozenset({"VoxtralRealtimeForConditionalGeneration"})
VOCABULARY = 131_072

_NAMES = (
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^language_model\.model\."), "model.language_model."),
    (re.compile(r"^(audio_tower|multi_modal_projector)\."), r"model.\1."),
)
"""Names of the weights as the first releases of Transformers with this model wrote them."""


@dataclass(frozen=True)
class RealtimeModel:
    """What is loaded."""

    encoder: StreamingEncoder
    decoder: Decoder
    rotary: nn.Module  # the text model's, on its device
    window: int  # tokens that the text model looks back to at most

    @property
    def weight_bytes(self) -> int:
        return self.encoder.memory_bytes + self.decoder.memory_bytes


def load_model(
    checkpoint: Checkpoint, placement: Placement, prompt: RealtimePrompt, progress: LoadProgress
) -> RealtimeModel:
    """Take the model up where it was placed, for the delay of this prompt.

    Raises:
        CheckpointError: it is no Voxtral Realtime, or weights of it are missing.
        torch.OutOfMemoryError: it does not fit.
    """
    model = _mapped(checkpoint)
    parts, text = model.model, model.model.language_model
    device = torch.device(placement.device)
    dtype = torch.float32 if placement.precision == "float32" else torch.bfloat16
    spare_frames = prompt.right_frames + 1
    encoder = StreamingEncoder(parts.audio_tower, parts.multi_modal_projector, device, dtype, spare_frames)
    taken_bytes = encoder.memory_bytes
    progress(taken_bytes, checkpoint.weight_bytes)
    with torch.inference_mode():
        _settle_delay(text, parts.time_embedding, prompt.delay_frames, device, dtype)
    window, text.config.sliding_window = text.config.sliding_window, None  # the stream's cache is the window
    decoder = Decoder(
        text,
        model.lm_head,
        placement.device,
        placement.precision,
        progress=lambda done, total: progress(taken_bytes + done, taken_bytes + total),
    )
    rotary: nn.Module = type(text.rotary_emb)(config=text.config).to(device)
    return RealtimeModel(encoder, decoder, rotary, window)


def _settle_delay(text: Any, embedding: Any, frames: int, device: torch.device, dtype: torch.dtype) -> None:
    """Put the factors of a delay into the norms that they are of."""
    with torch.device("cpu"):  # that of a model on `meta` has no numbers
        told: Tensor = type(embedding)(embedding.dim, embedding.theta)(torch.full((1,), frames, dtype=dtype))
    for layer in text.layers:
        factor = 1 + placed_module(layer.ada_rms_norm, device, dtype)(told.to(device))  # (hidden,)
        norm = layer.post_attention_layernorm
        weight = on_device(norm.weight, device, torch.float32) * factor.float()
        norm.weight = nn.Parameter(weight, requires_grad=False)
        layer.ada_rms_norm = None


def _mapped(checkpoint: Checkpoint) -> Any:
    """The model of Transformers, its weights on the CPU and in the checkpoint's files still."""
    model = empty(from_transformers("VoxtralRealtimeForConditionalGeneration"), _config(checkpoint))
    mapped(model, checkpoint, _NAMES)
    return model


def _config(checkpoint: Checkpoint) -> Any:
    config = config_of(checkpoint, from_transformers("VoxtralRealtimeConfig"))
    for what, value, needed in (
        ("a vocabulary of", config.text_config.vocab_size, VOCABULARY),
        ("mel bins,", config.audio_config.num_mel_bins, MEL_BINS),
        ("mel columns of a token,", config.audio_length_per_tok, MEL_COLUMNS),
        ("encoder positions of a token,", config.downsample_factor, POSITIONS),
    ):
        if value != needed:
            raise CheckpointError(
                f"{checkpoint.name} is no Voxtral Realtime this program knows: {what} {value}, not {needed}",
                REMEDY,
            )
    if not config.text_config.sliding_window or not config.audio_config.sliding_window:
        raise CheckpointError(
            f"{checkpoint.name} is no Voxtral Realtime this program knows: it has no sliding window", REMEDY
        )
    return config
