"""Qwen3-4B-Instruct-2507 without its weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from voxterm.engines.architectures import from_transformers
from voxterm.engines.declared.llm import MODEL
from voxterm.engines.stand_ins.folder import write_config

ORDINARY_TOKENS = 151_643
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""They have the ids behind the ordinary ones."""

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen cuts a text before byte-level BPE."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

MORE_OF_CONFIG: dict[str, Any] = {
    "model_type": "qwen3",
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5_000_000.0},
    "max_position_embeddings": 262_144,
    "eos_token_id": 151_645,
}


def write(folder: Path) -> None:
    """Its config and a tokenizer with all its ids; of ordinary text that one knows the bytes alone."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    write_config(folder, replace(MODEL, architectures=("Qwen3ForCausalLM",)), MORE_OF_CONFIG)
    known = sorted(pre_tokenizers.ByteLevel.alphabet())
    ordinary = [*known, *(f"<filler_{n}>" for n in range(ORDINARY_TOKENS - len(known)))]
    tokenizer = Tokenizer(models.BPE({text: id_ for id_, text in enumerate(ordinary)}, []))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    from_transformers("PreTrainedTokenizerFast")(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", chat_template=CHAT_TEMPLATE
    ).save_pretrained(folder)
