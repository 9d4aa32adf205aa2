"""A chat checkpoint's weights and vocabulary: from its folder to a decoder and a tokenizer.

The weights stay mapped from their files: each goes straight to the device, at its precision there.
"""

from __future__ import annotations

import re
from typing import Any

from voxterm.checkpoints import Checkpoint
from voxterm.decoding import Decoder
from voxterm.engines.architectures import from_transformers, importing
from voxterm.engines.mapped import config_held_good, config_of, empty, mapped
from voxterm.engines.protocols import LoadProgress, Placement
from voxterm.errors import CheckpointError

ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")

REMEDY = "name a chat model of Llama, Mistral, Qwen2 or Qwen3, like Qwen/Qwen3-4B-Instruct-2507"

MISTRAL_BACKEND = "MistralCommonBackend"
"""A class of Transformers that takes the marks of a chat template, like [INST], for plain text."""

_KNOWN = re.compile(
    r"(lm_head|model\.(embed_tokens|norm|layers\.\d+\.("
    r"self_attn\.([qkvo]_proj|[qk]_norm)|mlp\.(gate|up|down)_proj|(input|post_attention)_layernorm)))\.weight"
    r"|model\.layers\.\d+\.self_attn\.[qkv]_proj\.bias"
)
"""The weights that the decode loop computes with. It would pass over any other without a word."""


def load_decoder(checkpoint: Checkpoint, placement: Placement, progress: LoadProgress) -> Decoder:
    """Take the model up where it was placed.

    Raises:
        CheckpointError: weights of it are missing, or are none that the decode loop knows.
        EngineLoadError: the decode loop does not know its architecture.
        torch.OutOfMemoryError: it does not fit.
    """
    model = _mapped(checkpoint, placement)
    return Decoder(model.model, model.lm_head, placement.device, placement.precision, progress=progress)


def parameters(checkpoint: Checkpoint, placement: Placement) -> int:
    """How many numbers the model has."""
    return int(_empty(checkpoint, placement).num_parameters())


def context_tokens(checkpoint: Checkpoint, placement: Placement) -> int:
    """How much dialogue it can hold: as much as was granted, but no more than it was trained for."""
    trained = checkpoint.config.get("max_position_embeddings")
    return min(placement.context_tokens, trained) if isinstance(trained, int) else placement.context_tokens


def read_tokenizer(checkpoint: Checkpoint) -> Any:
    """Its tokenizer, of Transformers. Nothing is downloaded, and no code of the checkpoint is run.

    Raises:
        CheckpointError: it is missing, broken, in Mistral's own format alone, or read by Mistral's own
            backend; or config.json is broken.
    """
    folder = checkpoint.folder
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        held = "its tokenizer as tekken.json alone" if (folder / "tekken.json").is_file() else "no tokenizer"
        raise CheckpointError(f"{checkpoint.name} has {held}", "name a checkpoint that has tokenizer.json")
    config = _config(checkpoint)
    try:
        with importing():
            tokenizer = from_transformers("AutoTokenizer").from_pretrained(
                str(folder),
                config=config,
                local_files_only=True,
                trust_remote_code=False,
                fix_mistral_regex=True,  # Mistral published tokenizers that cut texts in wrong places
            )
    except Exception as error:  # the libraries raise nothing narrower
        if MISTRAL_BACKEND in str(error):  # most versions of it refuse `fix_mistral_regex`
            raise _wrong_backend(checkpoint) from error
        raise CheckpointError(
            f"the tokenizer of {checkpoint.name} cannot be read: {error}", "fetch the checkpoint again"
        ) from error
    if type(tokenizer).__name__ == MISTRAL_BACKEND:
        raise _wrong_backend(checkpoint)
    return tokenizer


def _wrong_backend(checkpoint: Checkpoint) -> CheckpointError:
    return CheckpointError(
        f"Transformers reads the tokenizer of {checkpoint.name} by its {MISTRAL_BACKEND}, "
        "which takes [INST] and other marks for plain text",
        "install transformers>=5.20, or else set tokenizer_class to PreTrainedTokenizerFast in its "
        "tokenizer_config.json",
    )


def _mapped(checkpoint: Checkpoint, placement: Placement) -> Any:
    """The model of Transformers, its weights on the CPU and in the checkpoint's files still."""
    if "quantization_config" in checkpoint.config:
        what = f"{checkpoint.name} is quantised already"
        raise CheckpointError(what, "name the one it was made from: it is quantised here, to int8 or int4")
    model = _empty(checkpoint, placement)
    for name, _ in model.named_parameters():
        if not _KNOWN.fullmatch(name):
            raise CheckpointError(f"{checkpoint.name} has a weight {name}, which nothing here uses", REMEDY)
    mapped(model, checkpoint)
    return model


def _empty(checkpoint: Checkpoint, placement: Placement) -> Any:
    """The model without its weights."""
    config = _config(checkpoint)
    window = getattr(config, "sliding_window", None)
    if window and window >= context_tokens(checkpoint, placement):
        config.sliding_window = None  # nothing of the context ever lies outside it
    with config_held_good(checkpoint):
        return empty(_architecture(checkpoint), config)


def _config(checkpoint: Checkpoint) -> Any:
    return config_of(checkpoint, _architecture(checkpoint).config_class)


def _architecture(checkpoint: Checkpoint) -> Any:
    """The class of its model; `find` has made sure that there is one."""
    named = checkpoint.config["architectures"]
    return from_transformers(next(name for name in ARCHITECTURES if name in named))
