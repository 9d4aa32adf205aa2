"""Voxtral Realtime's stream as token ids, and what its tokens say; its settings and what it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voxterm.engines.declared.voxtral_realtime import VoxtralRealtimeSettings
from voxterm.engines.stand_ins.voxtral import write_tekken
from voxterm.engines.stand_ins.voxtral_realtime import write_streaming_tekken
from voxterm.engines.voxtral_realtime.prompt import RealtimePrompt, Said
from voxterm.errors import CheckpointError

PAD = 32


@pytest.fixture(scope="module")
def tekken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "tekken.json"
    write_streaming_tekken(path)
    return path


@pytest.mark.parametrize(("delay_ms", "frames"), [(80, 1), (480, 6), (2400, 30)])
def test_a_stream_opens_and_ends_as_mistral_s_own_encoder_says(
    tekken: Path, delay_ms: int, frames: int
) -> None:
    from mistral_common.protocol.transcription.request import StreamingMode, TranscriptionRequest

    prompt = RealtimePrompt(tekken, delay_ms)
    request = TranscriptionRequest(
        model="", audio="", language=None, streaming=StreamingMode.ONLINE, target_streaming_delay_ms=delay_ms
    )
    asked = prompt._tokenizer.encode_transcription(request)
    left, right = (len(audio.audio_array) // 1280 for audio in asked.audios)
    assert prompt.ids == asked.tokens == [1] + [PAD] * (32 + frames)
    assert (prompt.left_frames, prompt.right_frames) == (left, right) == (32, frames + 11)
    assert (prompt.delay_frames, prompt.pad_id) == (frames, PAD)


def test_control_tokens_have_no_text(tekken: Path) -> None:
    prompt = RealtimePrompt(tekken, 480)
    assert [prompt.piece(token_id) for token_id in (1, 2, PAD, 33)] == [b""] * 4
    assert prompt.piece(30_822) == b" Hero"


def test_full_stops_end_a_sentence_and_commas_do_not(tekken: Path) -> None:
    prompt = RealtimePrompt(tekken, 480)
    pieces = {prompt.piece(token_id) for token_id in prompt.sentence_ends()}
    assert {b".", b"?", b"!", "。".encode()} <= pieces
    assert not {b",", b"...", b"", b" Hero"} & pieces


def changed(tekken: Path, path: Path, **audio: Any) -> Path:
    document = json.loads(tekken.read_text())
    document["audio"] |= audio
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("audio", "what"),
    [
        ({"sampling_rate": 8_000}, "rate of 8000"),
        ({"frame_rate": 6.25, "transcription_delay_ms": 480}, "samples of a token, 2560"),
        (
            {"audio_encoding_config": {"num_mel_bins": 80, "hop_length": 160, "window_size": 400}},
            "mel bins, 80",
        ),
        ({"transcription_delay_ms": 500}, "cannot be read"),
    ],
)
def test_another_stream_is_an_error(tekken: Path, tmp_path: Path, audio: dict[str, Any], what: str) -> None:
    with pytest.raises(CheckpointError, match=what) as error:
        RealtimePrompt(changed(tekken, tmp_path / "tekken.json", **audio), 480)
    assert error.value.remedy


def test_the_vocabulary_of_voxtral_mini_is_an_error(tmp_path: Path) -> None:
    write_tekken(tmp_path / "tekken.json")
    with pytest.raises(CheckpointError, match="Voxtral Realtime") as error:
        RealtimePrompt(tmp_path / "tekken.json", 480)
    assert "4B Realtime" in error.value.remedy


@pytest.mark.parametrize(
    ("text", "what"), [(None, "missing"), ("{", "cannot be read"), ("{}", "cannot be read")]
)
def test_a_vocabulary_that_is_not_there_or_broken_is_an_error(
    tmp_path: Path, text: str | None, what: str
) -> None:
    if text is not None:
        (tmp_path / "tekken.json").write_text(text)
    with pytest.raises(CheckpointError, match=what) as error:
        RealtimePrompt(tmp_path / "tekken.json", 480)
    assert error.value.remedy


def said(*pieces: tuple[str | bytes, float]) -> Said:
    words = Said()
    for piece, full_stop in pieces:
        words = words.plus(piece if isinstance(piece, bytes) else piece.encode(), full_stop)
    return words


def test_characters_come_whole() -> None:
    flag = "é".encode()
    assert said((" caf", 0.0), (flag[:1], 0.0)).text == "caf"
    assert said((" caf", 0.0), (flag[:1], 0.0), (flag[1:], 0.0)).text == "café"


@pytest.mark.parametrize("pieces", [(), ((" ", 0.1),), ((".", 0.9), (" ...", 0.9))])
def test_without_a_letter_nothing_was_said(pieces: tuple[tuple[str, float], ...]) -> None:
    assert said(*pieces).text == ""


def test_a_full_stop_counts_where_it_was_most_probable_since_the_last_word() -> None:
    assert said((" yes", 0.9)).full_stop == 0.0, "in the place of that word it was not said"
    assert said((" yes", 0.9), ("", 0.2), ("", 0.6), ("", 0.1)).full_stop == 0.6
    assert said((" yes", 0.9), (".", 0.8), ("", 0.0)).full_stop == 0.8
    assert said((" yes", 0.9), (".", 0.8), (" and", 0.0), ("", 0.1)).full_stop == 0.1


@given(st.lists(st.tuples(st.binary(max_size=4), st.floats(0, 1)), max_size=20))
def test_text_of_any_bytes_only_ever_grows(pieces: list[tuple[bytes, float]]) -> None:
    words = Said()
    for piece, full_stop in pieces:
        grown = words.plus(piece, full_stop)
        assert grown.written.startswith(words.written)
        assert grown.text == grown.text.strip()
        assert 0.0 <= grown.full_stop <= 1.0
        words = grown


@pytest.mark.parametrize("delay_ms", [*range(80, 1201, 80), 2400])
def test_each_delay_that_the_model_knows_can_be_set(delay_ms: int) -> None:
    assert VoxtralRealtimeSettings.model_validate({"delay_ms": delay_ms}).delay_ms == delay_ms


@pytest.mark.parametrize(
    "wrong",
    [
        {"delay_ms": 0},
        {"delay_ms": 100},
        {"delay_ms": 1280},
        {"context_tokens": 9000},
        {"checkpoint": ""},
        {"x": 1},
    ],
)
def test_other_settings_are_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VoxtralRealtimeSettings.model_validate(wrong)
