"""Checkpoints of the published models without their weights: config and tokenizer, a few megabytes.

An engine that loads one draws random weights on its device. Speed does not depend on the values, so a machine
with no way to the hub can be measured all the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from voxterm.checkpoints import RANDOM_WEIGHTS
from voxterm.plan import MODELS

ORPHEUS_CUSTOM_TOKENS = 28_684
ORPHEUS_FIRST_CUSTOM_ID = 128_256

LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 cuts a text before byte-level BPE."""


MORE_OF_CONFIG: dict[str, dict[str, Any]] = {
    "voxtral": {"model_type": "voxtral", "audio_token_id": 24},
    "orpheus": {
        "model_type": "llama",
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 131_072,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "bos_token_id": 128_000,
        "eos_token_id": 128_009,
    },
}
"""What the plan does not need to know."""

SNAC_24KHZ: dict[str, Any] = {
    "sampling_rate": 24_000,
    "encoder_dim": 48,
    "encoder_rates": [2, 4, 8, 8],
    "decoder_dim": 1024,
    "decoder_rates": [8, 8, 4, 2],
    "attn_window_size": None,
    "codebook_size": 4096,
    "codebook_dim": 8,
    "vq_strides": [4, 2, 1],
    "noise": True,
    "depthwise": True,
}


def write_stand_ins(folder: Path) -> dict[str, Path]:
    """Voxtral, Orpheus and the codec at their full size, by the plan's names for them."""
    folders = {name: folder / name for name in ("voxtral", "orpheus", "snac")}
    for name, place in folders.items():
        place.mkdir(parents=True)
        if name == "snac":
            config = dict(SNAC_24KHZ)
        else:
            model = MODELS[name]
            config = {**model.config, **MORE_OF_CONFIG[name], "architectures": list(model.architectures)}
        config[RANDOM_WEIGHTS] = True
        (place / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    write_tekken(folders["voxtral"] / "tekken.json")
    write_llama_tokenizer(folders["orpheus"])
    return folders


def write_tekken(path: Path) -> None:
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


def write_llama_tokenizer(folder: Path) -> None:
    """A tokenizer of Llama 3's kind with all of Orpheus' ids; of ordinary text it knows the bytes alone."""
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
