"""Tiny chat checkpoints of each architecture that the local LLM knows, with tokenizers of their real kinds.

No download: the tokenizers are trained on a few sentences, the weights are random with a fixed seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tiny import HIDDEN, SCALE

from voxterm.engines.stand_ins.llm import QWEN_PATTERN

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")

TEXTS = (
    "Good morning! How are you today? I am fine, thank you, and what about you?",
    "The weather is mild, so we could walk along the river and talk of many things.",
    "You are a friend who answers in one or two short sentences.",
    "Grüße aus München: schöne Aussichten für übermorgen. नमस्ते, आप कैसे हैं? 你好，世界。 🙂🎉",
    "system user assistant Hello there. Who are you? Be kind. A friend. Well, what then?",
)

CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SWITCHED_THINKING = CHATML.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}",
)
HEADERS = (
    "{{ bos_token }}{% for message in messages %}"
    "<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n{{ message.content | trim }}<|eot_id|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
DATED = (
    '{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}'
    "{%- if messages[0]['role'] == 'system' %}"
    "{%- set system_message = messages[0]['content'] | trim %}{%- set messages = messages[1:] %}"
    "{%- else %}{%- set system_message = '' %}{%- endif %}"
    "{{- bos_token }}{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}"
    "{{- 'Today Date: ' + date_string + '\n\n' }}{{- system_message }}{{- '<|eot_id|>' }}"
) + HEADERS.removeprefix("{{ bos_token }}")
"""As Llama 3.1's begins."""
INSTRUCT = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set said = messages[1:] %}"
    "{% else %}{% set said = messages %}{% endif %}"
    "{{ bos_token }}{% for message in said %}"
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate user/assistant') }}{% endif %}"
    "{% if message.role == 'user' %}"
    "[INST] {% if loop.last and system is defined %}{{ system }}\n\n{% endif %}{{ message.content }}[/INST]"
    "{% else %} {{ message.content | trim }}{{ eos_token }}{% endif %}"
    "{% endfor %}"
)
TEMPLATES = {"llama": HEADERS, "mistral": INSTRUCT, "qwen2": CHATML, "qwen3": SWITCHED_THINKING}

SPECIAL_TOKENS = {
    "llama": (
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ),
    "mistral": ("<s>", "</s>", "<unk>", "[INST]", "[/INST]"),
    "qwen2": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "qwen3": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
}


def tiny_llm(folder: Path, family: str = "qwen3") -> Path:
    """Two layers in float32, whose choices are clear, with a chat template in the manner of the family."""
    tokenizer = write_tokenizer(folder, family)
    _model(family, len(tokenizer), tokenizer.eos_token_id).save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path, family: str = "qwen3", template: str | None = None) -> Any:
    """Byte-level BPE for Llama and Qwen, BPE with bytes to fall back to for Mistral."""
    from transformers import PreTrainedTokenizerFast

    trained = _with_byte_fallback() if family == "mistral" else _byte_level()
    trained.add_special_tokens([*SPECIAL_TOKENS[family]])
    if family == "qwen3":
        trained.add_tokens(["<think>", "</think>"])  # the published one has them so, not as special ones
    roles = {"llama": ("<|begin_of_text|>", "<|end_of_text|>"), "mistral": ("<s>", "</s>")}
    bos, eos = roles.get(family, (None, "<|im_end|>"))
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=trained,
        bos_token=bos,
        eos_token=eos,
        clean_up_tokenization_spaces=family == "llama",
        chat_template=template or TEMPLATES[family],
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _byte_level() -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def _with_byte_fallback() -> Any:
    """As SentencePiece makes them: spaces are letters, one stands before the first word."""
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers

    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained = Tokenizer(models.BPE())
    trained.normalizer = spaces
    latin = [text for text in TEXTS if text.isascii()]
    trained.train_from_iterator(latin, trainers.BpeTrainer(vocab_size=160, show_progress=False))
    learnt = json.loads(trained.to_str())["model"]
    known = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learnt["vocab"]]
    merges = [(left, right) for left, right in learnt["merges"]]
    tokenizer = Tokenizer(
        models.BPE(
            {text: id_ for id_, text in enumerate(known)},
            merges,
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    tokenizer.normalizer = spaces
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def _model(family: str, vocabulary: int, end_id: int) -> Any:
    import transformers

    name = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[family]
    sizes: dict[str, Any] = {
        "vocab_size": vocabulary + 8,  # published tables are longer than the vocabulary
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": family in ("llama", "qwen3"),
        "bos_token_id": None,
        "eos_token_id": [end_id],
    }
    if family == "llama":
        sizes["rope_parameters"] = {
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    if family == "mistral":
        sizes["sliding_window"] = None
    config = getattr(transformers, f"{name}Config")(**sizes)
    torch.manual_seed(23)
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                parameter.normal_(0.0, 0.1 if "embed" in parameter_name else SCALE)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model
