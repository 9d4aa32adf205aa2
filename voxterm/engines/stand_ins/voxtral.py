"""Voxtral without its weights."""

from __future__ import annotations

import json
from pathlib import Path

from voxterm.engines.declared.voxtral import MODEL
from voxterm.engines.stand_ins.folder import write_config


def write(folder: Path) -> None:
    """Its config and Mistral's own vocabulary."""
    write_config(folder, MODEL, {"model_type": "voxtral", "audio_token_id": 24})
    write_tekken(folder / "tekken.json")


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
