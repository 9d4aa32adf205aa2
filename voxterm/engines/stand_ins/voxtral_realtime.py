"""Voxtral Mini 4B Realtime without its weights."""

from __future__ import annotations

import json
from pathlib import Path

from voxterm.checkpoints import RANDOM_WEIGHTS
from voxterm.engines.declared.voxtral_realtime import MODEL
from voxterm.engines.stand_ins.folder import write_json
from voxterm.engines.stand_ins.voxtral import write_tekken

ROPE = {"rope_type": "default", "rope_theta": 1_000_000.0}  # of both parts


def write(folder: Path) -> None:
    """Its config and its vocabulary."""
    config = {
        "architectures": ["VoxtralRealtimeForConditionalGeneration"],
        "model_type": "voxtral_realtime",
        "text_config": {**MODEL.config["text_config"], "rms_norm_eps": 1e-5, "rope_parameters": ROPE},
        "audio_config": {**MODEL.config["audio_config"], "rms_norm_eps": 1e-5, "rope_parameters": ROPE},
        "tie_word_embeddings": True,
        RANDOM_WEIGHTS: True,
    }
    write_json(folder / "config.json", config)
    write_streaming_tekken(folder / "tekken.json")


def write_streaming_tekken(path: Path) -> None:
    """Mistral's own vocabulary, with the audio section and the special tokens of Voxtral Realtime."""
    write_tekken(path)
    tekken = json.loads(path.read_text(encoding="utf-8"))
    del tekken["audio"]["chunk_length_s"]
    tekken["audio"] |= {
        "transcription_format": "streaming",
        "transcription_delay_ms": 480,
        "streaming_look_ahead_ms": 2.5,
        "streaming_look_back_ms": 52.5,
        "streaming_n_left_pad_tokens": 32,
    }
    for rank, name in ((32, "[STREAMING_PAD]"), (33, "[STREAMING_WORD]")):
        tekken["special_tokens"][rank]["token_str"] = name
    path.write_text(json.dumps(tekken), encoding="utf-8")
