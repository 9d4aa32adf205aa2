from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from demo_clips import no_progress
from tiny import copied
from tiny_llm import tiny_llm

from voxterm.checkpoints import RANDOM_WEIGHTS, find
from voxterm.engines.architectures import from_transformers
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.llm.engine import TransformersLlm
from voxterm.engines.llm.model import context_tokens, parameters
from voxterm.engines.protocols import Message, Placement
from voxterm.engines.stand_ins import llm as stand_in
from voxterm.errors import CheckpointError, EngineLoadError

ON_CPU = Placement("cpu", "float32", 1024)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llm(tmp_path_factory.mktemp("checkpoints") / "mistral", "mistral")


def reconfigured(checkpoint: Path, folder: Path, **changes: Any) -> Path:
    """A copy with other values in config.json; None takes one out."""
    copied(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.update(changes)
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder


def load(folder: Path, placement: Placement = ON_CPU) -> TransformersLlm:
    engine = TransformersLlm(placement, LlmSettings(checkpoint=str(folder), reply_tokens=8, temperature=0.0))
    engine.load(no_progress)
    return engine


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"architectures": ["Gemma2ForCausalLM"]}, "holds Gemma2ForCausalLM where LlamaForCausalLM or"),
        ({"architectures": ["SmolLM3ForCausalLM"]}, "holds SmolLM3ForCausalLM"),
        ({"architectures": ["VoxtralForConditionalGeneration"]}, "holds Voxtral"),
        (
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": True},
            r"o_proj\.bias",
        ),
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "mlp_bias": True}, r"_proj\.bias"),
        ({"hidden_act": "gelu"}, "does not know the architecture mistral"),
        ({"sliding_window": 512}, "does not know the architecture mistral"),
        ({"quantization_config": {"quant_method": "awq"}}, "is quantised already"),
        ({"num_hidden_layers": 3}, r"lacks \d+ weights, model\.layers\.2"),
        ({"intermediate_size": 96}, "is broken"),
        ({"num_attention_heads": "four"}, "config.json of .* is broken"),
        ({"rope_parameters": {"rope_type": "nonsense", "rope_theta": 1e4}}, "config.json of .* is broken"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused_and_the_remedy_named(
    folder: Path, tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    """Weights that the decode loop does not use would be left out without a word: the model would babble."""
    with pytest.raises(EngineLoadError, match=what) as error:
        load(reconfigured(folder, tmp_path / "changed", **changes))
    assert error.value.remedy


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("tokenizer.json", None, "has no tokenizer"),
        ("tokenizer.json", "{", "tokenizer of .* cannot be read"),
        ("chat_template.jinja", None, "has no chat template"),
        ("generation_config.json", "{", "is no JSON"),
        ("model.safetensors", None, "no weights"),
    ],
)
def test_a_file_that_is_missing_or_broken_is_named(
    folder: Path, tmp_path: Path, file: str, text: str | None, what: str
) -> None:
    path = copied(folder, tmp_path / "broken") / file
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=what) as error:
        load(path.parent)
    assert error.value.remedy


def test_a_tokenizer_in_mistrals_own_format_alone_is_refused(folder: Path, tmp_path: Path) -> None:
    changed = copied(folder, tmp_path / "tekken")
    (changed / "tokenizer.json").rename(changed / "tekken.json")
    with pytest.raises(CheckpointError, match=r"as tekken\.json alone") as error:
        load(changed)
    assert "tokenizer.json" in error.value.remedy


def test_beside_tekken_json_the_common_tokenizer_is_taken(folder: Path, tmp_path: Path) -> None:
    """Transformers prefers the former, whose prompts have no template to go by."""
    changed = copied(folder, tmp_path / "both")
    (changed / "tekken.json").write_text("{}", encoding="utf-8")
    assert "".join(str(d) for d in load(changed).reply([Message("user", "Hello.")])) != ""


def test_a_folder_that_asks_for_mistrals_own_backend_is_refused(folder: Path, tmp_path: Path) -> None:
    changed = copied(folder, tmp_path / "own")
    (changed / "tekken.json").write_text("{}", encoding="utf-8")
    path = changed / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"tokenizer_class": "MistralCommonBackend"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"takes \[INST\] and other marks for plain text") as error:
        load(changed)
    assert "PreTrainedTokenizerFast" in error.value.remedy
    path.write_text(json.dumps(config | {"tokenizer_class": "PreTrainedTokenizerFast"}), encoding="utf-8")
    assert list(load(changed).reply([Message("user", "Hello.")])), "the remedy helps"


class MistralCommonBackend:
    """What a Transformers that prefers it comes with."""

    @classmethod
    def from_pretrained(cls, *_: Any, **__: Any) -> MistralCommonBackend:
        return cls()


def test_mistrals_own_backend_is_refused_where_transformers_comes_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its prompts would read like others and mean nothing to the model."""

    def preferring(name: str, *others: str) -> Any:
        return MistralCommonBackend if name == "AutoTokenizer" else from_transformers(name, *others)

    monkeypatch.setattr("voxterm.engines.llm.model.from_transformers", preferring)
    with pytest.raises(CheckpointError, match="by its MistralCommonBackend") as error:
        load(folder)
    assert "transformers>=5.20" in error.value.remedy


def test_a_checkpoint_that_was_never_fetched_says_how_to_fetch_it() -> None:
    engine = TransformersLlm(ON_CPU)
    with pytest.raises(CheckpointError, match="Qwen/Qwen3-4B-Instruct-2507 is not on this machine") as error:
        engine.load(no_progress)
    assert "voxterm fetch Qwen/Qwen3-4B-Instruct-2507" in error.value.remedy


def test_a_sliding_window_that_the_context_never_leaves_is_none(folder: Path, tmp_path: Path) -> None:
    """Ministral has one of 32,768 positions."""
    windowed = load(reconfigured(folder, tmp_path / "windowed", sliding_window=1024))
    asked = [Message("user", "how are you? " * 120)]
    assert list(windowed.reply(asked)) == list(load(folder).reply(asked))


def test_the_older_form_of_a_config_means_the_same(tmp_path: Path) -> None:
    """That of Llama 3's published checkpoints: a rotation that is left unscaled babbles in long dialogues."""
    folder = tiny_llm(tmp_path / "llama", "llama")
    rope = json.loads((folder / "config.json").read_text(encoding="utf-8"))["rope_parameters"]
    older = reconfigured(
        folder,
        tmp_path / "older",
        rope_parameters=None,
        rope_theta=rope.pop("rope_theta"),
        rope_scaling=rope,
        dtype=None,
        torch_dtype="float32",
    )
    unscaled = reconfigured(older, tmp_path / "unscaled", rope_scaling=None)
    asked = [Message("user", "how are you? " * 60)]
    replies = [list(load(one).reply(asked)) for one in (folder, older, unscaled)]
    assert replies[0] == replies[1] != replies[2]


def test_no_more_context_is_taken_than_the_model_was_trained_for(folder: Path, tmp_path: Path) -> None:
    short = find(str(reconfigured(folder, tmp_path / "short", max_position_embeddings=2048)))
    assert context_tokens(short, Placement("cpu", "float32", 4096)) == 2048
    assert context_tokens(short, Placement("cpu", "float32", 1024)) == 1024


def test_the_stand_in_has_the_published_size(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    stand_in.write(tmp_path)
    checkpoint = find(str(tmp_path))
    assert checkpoint.weights == ()
    assert parameters(checkpoint, ON_CPU) == 4_022_468_096
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") == 151_645
    assert tokenizer.decode(tokenizer.encode("Grüße, 世界")) == "Grüße, 世界"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 16e6


def test_without_weights_they_are_drawn(tmp_path: Path) -> None:
    stand_in.write(tmp_path / "full")
    small = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}
    folder = reconfigured(tmp_path / "full", tmp_path / "small", **small, head_dim=16, num_key_value_heads=2)
    assert json.loads((folder / "config.json").read_text())[RANDOM_WEIGHTS] is True
    engine = load(folder)
    engine.warm_up()
    assert list(engine.reply([Message("user", "Hello.")]))
    assert engine.memory_bytes["LLM"] > 151_936 * 64 * 4
    assert engine._loaded is not None
    embedding = engine._loaded.loop._decoder.embedding.data
    assert float(embedding.std()) == pytest.approx(0.02, rel=0.05)
    assert embedding.data_ptr() == engine._loaded.loop._decoder._head.data.data_ptr(), "tied, as published"


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_every_precision_answers_and_takes_less(folder: Path, precision: Any) -> None:
    engine = load(folder, Placement("cpu", precision, 1024))
    assert list(engine.reply([Message("user", "Hello.")]))
    assert engine.memory_bytes["LLM"] < load(folder).memory_bytes["LLM"]
    assert engine._loaded is not None
    assert engine._loaded.loop._decoder.dtype == torch.bfloat16
