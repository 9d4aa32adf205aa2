"""A tiny Whisper: the real architecture, file formats, tokenizer class and token ids, with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from voxterm.engines.stand_ins.whisper import Edition, generation, model_ids, write_tokenizer

HIDDEN = 64


def tiny_whisper(folder: Path, edition: Edition | None = None, mel_bins: int = 80) -> Path:
    """An encoder and a decoder of two layers × 64, the full vocabulary, tied, float32 in one file.

    The embedding is drawn so wide that the model is sure of what it says, and its words are not doubted.
    """
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    edition = edition or Edition(languages=99)
    config = WhisperConfig(
        d_model=HIDDEN,
        encoder_layers=2,
        encoder_attention_heads=4,
        encoder_ffn_dim=2 * HIDDEN,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=2 * HIDDEN,
        num_mel_bins=mel_bins,
        init_std=HIDDEN**-0.5,
        **model_ids(edition),
    )
    torch.manual_seed(20)
    model: Any = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "embed" not in name:
                wide = 4.0 if "decoder" in name else 2.0
                parameter.normal_(0.0, wide * parameter.shape[1] ** -0.5)
        model.model.decoder.embed_tokens.weight.normal_(0.0, 1.0)
        model.model.decoder.embed_positions.weight.normal_(0.0, 1.0)
    model.save_pretrained(folder)
    about = generation(edition)
    timestamps = range(edition.id("notimestamps") + 1, edition.vocabulary)
    about["suppress_tokens"] += timestamps  # which a model that was trained does not say unasked
    (folder / "generation_config.json").write_text(json.dumps(about), encoding="utf-8")
    write_tokenizer(folder, edition)
    features: Any = WhisperFeatureExtractor
    features(feature_size=mel_bins).save_pretrained(folder)
    return folder
