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

VOXTRAL_VOCABULARY = 131_072
ORPHEUS_VOCABULARY = 156_940
ORPHEUS_CUSTOM_TOKENS = 28_684
ORPHEUS_FIRST_CUSTOM_ID = 128_256
HIDDEN = 64
SCALE = HIDDEN**-0.5
"""Standard deviation of the weights: each layer passes on about what it gets, so context and order matter."""

LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 cuts a text before byte-level BPE."""


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
    _write_tekken(folder / "tekken.json")
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
    _write_llama_tokenizer(folder)
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


def _write_tekken(path: Path) -> None:
    """Mistral's own vocabulary, with the audio section and the special tokens of Voxtral."""
    import mistral_common
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    source = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    tekken = json.loads(source.read_text(encoding="utf-8"))
    tekken.pop("image", None)
    tekken["config"]["version"] = "v7"
    tekken["audio"] = {
        "sampling_rate": 16_000,
        "frame_rate": 12.5,
        "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
        "chunk_length_s": 30.0,
    }
    names = {token["rank"]: str(token["token_str"]) for token in Tekkenizer.DEPRECATED_SPECIAL_TOKENS}
    names |= {24: "[AUDIO]", 25: "[BEGIN_AUDIO]", 34: "[TRANSCRIBE]"}
    tekken["special_tokens"] = [
        {"rank": rank, "token_str": names.get(rank, f"<SPECIAL_{rank}>"), "is_control": True}
        for rank in range(1000)
    ]
    path.write_text(json.dumps(tekken), encoding="utf-8")


def _write_llama_tokenizer(folder: Path) -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    ordinary = [*sorted(ByteLevel.alphabet()), *(f"<filler_{n}>" for n in range(128_000 - 256))]
    special = {128_000 + n: f"<|reserved_special_token_{n}|>" for n in range(256)}
    special |= {128_000: "<|begin_of_text|>", 128_001: "<|end_of_text|>", 128_009: "<|eot_id|>"}
    custom = {ORPHEUS_FIRST_CUSTOM_ID + n: f"<custom_token_{n}>" for n in range(ORPHEUS_CUSTOM_TOKENS)}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            *(_added_token(id_, text, special=True) for id_, text in special.items()),
            *(_added_token(id_, text, special=False) for id_, text in custom.items()),
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": LLAMA_PATTERN},
                    "behavior": "Isolated",
                    "invert": False,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {
                "<|begin_of_text|>": {
                    "id": "<|begin_of_text|>",
                    "ids": [128_000],
                    "tokens": ["<|begin_of_text|>"],
                }
            },
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {text: id_ for id_, text in enumerate(ordinary)},
            "merges": [],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "clean_up_tokenization_spaces": True,
        "model_max_length": 131_072,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def _added_token(id_: int, text: str, special: bool) -> dict[str, Any]:
    return {
        "id": id_,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }
