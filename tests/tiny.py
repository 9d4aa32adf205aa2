"""Tiny checkpoints of the real architectures, with the real file formats, processors and token ids.

No download: the weights are random with a fixed seed, so the models babble, but whatever loads and runs the
published checkpoints loads and runs these. Each function writes one folder, as the hub would hold it.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch

from voxterm.engines.stand_ins.llama_tokenizer import write_llama_tokenizer
from voxterm.engines.stand_ins.voxtral import write_tekken

VOXTRAL_VOCABULARY = 131_072
ORPHEUS_VOCABULARY = 156_940
HIDDEN = 64
SCALE = HIDDEN**-0.5
"""Standard deviation of the weights: each layer passes on about what it gets, so context and order matter."""


def tiny_voxtral(folder: Path) -> Path:
    """Voxtral: an encoder of 1500 frames × 64, the projector to 375 × 64, a Llama of two layers.

    bfloat16, in several safetensors files with their index, with tekken.json and the feature extractor.
    """
    from transformers import (
        LlamaConfig,
        VoxtralConfig,
        VoxtralEncoderConfig,
        VoxtralForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    config = VoxtralConfig(
        audio_config=VoxtralEncoderConfig(
            hidden_size=HIDDEN,
            intermediate_size=4 * HIDDEN,  # the projector reads four frames at once
            num_hidden_layers=2,
            num_attention_heads=4,
            num_mel_bins=128,
            initializer_range=SCALE,
        ),
        text_config=LlamaConfig(
            vocab_size=VOXTRAL_VOCABULARY,
            **_tiny_llama(),
            rms_norm_eps=1e-5,
            max_position_embeddings=131_072,
            rope_parameters={"rope_type": "default", "rope_theta": 1e8},
            tie_word_embeddings=False,
            bos_token_id=1,
            eos_token_id=2,
        ),
        audio_token_id=24,
    )
    torch.manual_seed(17)
    model: Any = VoxtralForConditionalGeneration(config)
    model.to(torch.bfloat16)
    model.generation_config.pad_token_id = 11
    model.save_pretrained(folder, max_shard_size="20MB")
    features: Any = WhisperFeatureExtractor
    features(feature_size=128).save_pretrained(folder)
    write_tekken(folder / "tekken.json")
    return folder


def tiny_orpheus(folder: Path) -> Path:
    """Orpheus: a Llama of two layers with tied embeddings and all 156,940 ids, bfloat16 in one file.

    Its tokenizer knows the bytes, Llama 3's special tokens and <custom_token_0> … <custom_token_28683>.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=ORPHEUS_VOCABULARY,
        **_tiny_llama(),
        rms_norm_eps=1e-5,
        max_position_embeddings=131_072,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        tie_word_embeddings=True,
        bos_token_id=128_000,
        eos_token_id=128_009,
    )
    torch.manual_seed(18)
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16)
    model.save_pretrained(folder)
    write_llama_tokenizer(folder)
    return folder


def tiny_snac(folder: Path) -> Path:
    """SNAC at 24 kHz, narrow: 2048 samples a frame, three codebooks of 4096, as `pytorch_model.bin`.

    Random codes come out at an RMS of about 0.1.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        from snac import SNAC  # type: ignore[import-untyped]

    config: dict[str, Any] = {
        "sampling_rate": 24_000,
        "encoder_dim": 8,
        "encoder_rates": [2, 4, 8, 8],
        "decoder_dim": 64,
        "decoder_rates": [8, 8, 4, 2],
        "attn_window_size": None,
        "codebook_size": 4096,
        "codebook_dim": 8,
        "vq_strides": [4, 2, 1],
        "noise": True,
        "depthwise": True,
    }
    torch.manual_seed(19)
    model = SNAC(**config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def copied(checkpoint: Path, folder: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(checkpoint, folder, dirs_exist_ok=True))


def _tiny_llama() -> dict[str, Any]:
    return {
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "initializer_range": SCALE,
    }
