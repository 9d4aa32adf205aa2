"""A tokenizer of Llama 3's kind, made with no download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ORPHEUS_CUSTOM_TOKENS = 28_684
ORPHEUS_FIRST_CUSTOM_ID = 128_256

LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 cuts a text before byte-level BPE."""


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
