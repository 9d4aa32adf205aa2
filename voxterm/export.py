"""A session as a document: Markdown and subtitles for people, JSON for machines, stereo sound for both ears;
and the time line of one of its turns as a picture.

Subtitles and sound share one time line, so they fit each other. It follows the clock from the start of the
session; a pause of more than a minute, as before a session is resumed, is cut to a minute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timezone
from itertools import count
from pathlib import Path
from typing import Literal, TextIO, TypeAlias, get_args

from voxterm.config import TurnSettings
from voxterm.errors import OutputError, SessionError, one_line
from voxterm.store import SessionSummary, StoredTurn
from voxterm.timeline.figure import TurnTexts, figure

Format: TypeAlias = Literal["md", "json", "srt", "wav", "svg"]
FORMATS: tuple[Format, ...] = get_args(Format)

PAUSE_LIMIT_S = 60.0
ESTIMATED_CHARS_PER_S = 15.0
"""How fast people and voices speak where there is no recording: LJ Speech has 15 characters a second."""
SHORTEST_LINE_S = 0.5
WAV_RATE_HZ = 24_000  # what most voices speak at

_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#|~&!$])")
_SUBTITLE_TAGS = str.maketrans("<>{}", "＜＞｛｝")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Which turn's time line is drawn, None: the last that has one; and from where on a frame is speech."""

    turn: int | None = None
    speech_threshold: float = TurnSettings().speech_threshold


def export_session(
    summary: SessionSummary,
    turns: Sequence[StoredTurn],
    form: Format,
    out: Path | TextIO,
    drawn: Drawn | None = None,
) -> None:
    """Write a session to a file, or a text form of it to a stream. `drawn` is for "svg".

    Raises:
        OutputError: the file cannot be written, or sound was asked for on a stream.
        SessionError: sound or a time line was asked for and none was recorded.
        AudioFileError: a recording is missing or broken.
    """
    if form == "wav":
        if not isinstance(out, Path):
            raise OutputError("sound is not written to standard output", "name a file with --out")
        _write_wav(summary, turns, out)
        return
    if form == "svg":
        text = time_line_picture(summary, turns, drawn or Drawn())
    else:
        text = _TEXT_FORMS[form](summary, turns)
    if not isinstance(out, Path):
        out.write(text)
        return
    write_text(out, text)


def new_file(folder: Path, name: str, form: str) -> Path:
    """An empty file of a name that there was not: `NAME.FORM`, else `NAME-2.FORM` and so on; absolute.

    Raises:
        OutputError: it cannot be made.
    """
    for number in count(1):
        path = folder / (f"{name}.{form}" if number == 1 else f"{name}-{number}.{form}")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise _cannot_write(path, error) from None
        return path.absolute()
    raise AssertionError("numbers do not end")


def write_text(path: Path, text: str) -> None:
    """Raises OutputError: the file cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: OSError) -> OutputError:
    from voxterm.audio.wav import cannot_write

    return cannot_write(path, error)


def markdown(summary: SessionSummary, turns: Sequence[StoredTurn]) -> str:
    """The dialogue to read; what of a reply was not heard is struck through. Times are local."""
    persona = f" · persona {_markdown_text(summary.persona)}" if summary.persona else ""
    lines = [
        f"# {_markdown_text(summary.title or summary.id)}",
        "",
        f"{summary.started_at.astimezone():%Y-%m-%d %H:%M} · session {_markdown_text(summary.id)} · "
        f"{_markdown_text(summary.profile)} · voice {_markdown_text(summary.voice)}{persona}",
    ]
    for turn in turns:
        said = _markdown_text(turn.transcript)
        lines += [
            "",
            f"**You** {turn.started_at.astimezone():%H:%M:%S}{' (typed)' if turn.typed else ''}: {said}",
        ]
        if turn.reply:
            lines += ["", f"**voxterm**: {_markdown_reply(turn)}"]
        if turn.error:
            lines += ["", f"*{_markdown_text(turn.error)}*"]
    return "\n".join(lines) + "\n"


def json_document(summary: SessionSummary, turns: Sequence[StoredTurn]) -> str:
    """One document with stable keys, in plain ASCII: no control character of a text reaches a terminal."""
    document = {
        "id": summary.id,
        "started_at": summary.started_at.astimezone(timezone.utc).isoformat(),
        "title": summary.title,
        "profile": summary.profile,
        "engines": dict(summary.engines),
        "voice": summary.voice,
        "persona": summary.persona,
        "turns": [_json_turn(turn) for turn in turns],
    }
    return json.dumps(document, indent=2) + "\n"


def subtitles(summary: SessionSummary, turns: Sequence[StoredTurn]) -> str:
    """SubRip subtitles of what was said and heard. No two overlap."""
    entries: list[str] = []
    for line in _time_line(summary, turns):
        if text := _srt_text(line.text):
            times = f"{_srt_time(line.start_s)} --> {_srt_time(line.end_s)}"
            entries.append(f"{len(entries) + 1}\n{times}\n{line.speaker}: {text}\n")
    return "\n".join(entries)


def time_line_picture(summary: SessionSummary, turns: Sequence[StoredTurn], drawn: Drawn) -> str:
    """The time line of one turn, from which a person reads where the time went.

    Raises:
        SessionError: there is no such turn, or it has no time line.
    """
    turn = _turn_to_draw(summary, turns, drawn.turn)
    if turn.timeline is None:
        have = ", ".join(str(other.number) for other in turns if other.timeline)
        raise SessionError(
            f"turn {turn.number} of session {summary.id} has no time line",
            f"turns that have one: {have}"
            if have
            else "it was kept by an older voxterm; newer turns have one",
        )
    at = f"{turn.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    texts = TurnTexts(
        title=f"Turn {turn.number}",
        subtitle=f"session {summary.id}, {at}, voice {summary.voice}",
        transcript=turn.transcript,
        heard_reply=turn.heard_reply,
        unheard_reply=_unheard(turn),
    )
    return figure(turn.timeline.unpacked(turn.number), texts, drawn.speech_threshold)


def _turn_to_draw(summary: SessionSummary, turns: Sequence[StoredTurn], number: int | None) -> StoredTurn:
    if not turns:
        raise SessionError(f"session {summary.id} has no turns", "talk in it first")
    if number is None:
        return next((turn for turn in reversed(turns) if turn.timeline), turns[-1])
    for turn in turns:
        if turn.number == number:
            return turn
    raise SessionError(
        f"session {summary.id} has no turn {number}", f"it has turns {turns[0].number} to {turns[-1].number}"
    )


_TEXT_FORMS: Mapping[str, Callable[[SessionSummary, Sequence[StoredTurn]], str]] = {
    "md": markdown,
    "json": json_document,
    "srt": subtitles,
}


def _json_turn(turn: StoredTurn) -> dict[str, object]:
    return {
        "number": turn.number,
        "transcript": turn.transcript,
        "reply": turn.reply,
        "heard_reply": turn.heard_reply,
        "interrupted": turn.interrupted,
        "typed": turn.typed,
        "started_at": turn.started_at.astimezone(timezone.utc).isoformat(),
        "latency_ms": dict(turn.latency_ms),
    }


def _markdown_text(text: str) -> str:
    """The text on one line, its every sign shown as it is."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", one_line(" ".join(text.split())))


def _markdown_reply(turn: StoredTurn) -> str:
    unheard = _unheard(turn)
    parts = [_markdown_text(turn.heard_reply), f"~~{_markdown_text(unheard)}~~" if unheard.strip() else ""]
    return " ".join(part for part in parts if part)


def _unheard(turn: StoredTurn) -> str:
    return turn.reply[len(turn.heard_reply) :] if turn.reply.startswith(turn.heard_reply) else turn.reply


@dataclass(frozen=True, slots=True)
class _Line:
    """What one side said, and when, counted from the session's start."""

    speaker: Literal["You", "voxterm"]
    text: str
    start_s: float
    end_s: float
    audio: Path | None


def _time_line(summary: SessionSummary, turns: Sequence[StoredTurn]) -> Iterator[_Line]:
    """Both sides in order, one after the other: a reply follows its question by what the turn measured."""
    at_s = 0.0
    cut_s = 0.0  # pauses taken out so far
    for turn in turns:
        true_s = (turn.started_at - summary.started_at).total_seconds() - cut_s
        cut_s += max(0.0, true_s - at_s - PAUSE_LIMIT_S)
        start_s = min(max(at_s, true_s), at_s + PAUSE_LIMIT_S)
        end_s = start_s + _duration_s(turn.person_audio, turn.transcript)
        yield _Line("You", turn.transcript, start_s, end_s, turn.person_audio)
        wait_ms = turn.latency_ms.get("voice_to_voice") or turn.latency_ms.get("response") or 0.0
        start_s = end_s + min(max(wait_ms / 1000.0, 0.0), PAUSE_LIMIT_S)
        at_s = start_s + _duration_s(turn.reply_audio, turn.heard_reply)
        yield _Line("voxterm", turn.heard_reply, start_s, at_s, turn.reply_audio)


def _duration_s(audio: Path | None, text: str) -> float:
    """Of the recording, else estimated from the text."""
    if audio and audio.exists():
        from voxterm.audio.wav import read_audio

        return len(read_audio(audio, WAV_RATE_HZ)) / WAV_RATE_HZ
    return max(SHORTEST_LINE_S, len(text) / ESTIMATED_CHARS_PER_S) if text else 0.0


def _srt_time(at_s: float) -> str:
    at_ms = round(at_s * 1000)
    return f"{at_ms // 3_600_000:02d}:{at_ms // 60_000 % 60:02d}:{at_ms // 1000 % 60:02d},{at_ms % 1000:03d}"


def _srt_text(text: str) -> str:
    """On one line, since an empty one ends a subtitle; tags, which players obey, in full-width signs."""
    return one_line(" ".join(text.split())).translate(_SUBTITLE_TAGS)


def _write_wav(summary: SessionSummary, turns: Sequence[StoredTurn], out: Path) -> None:
    """The person on the left, the replies on the right."""
    import numpy as np

    from voxterm.audio.wav import SoundWriter, read_audio

    if not any(turn.person_audio or turn.reply_audio for turn in turns):
        raise SessionError(
            f"session {summary.id} has no recordings", "recordings are kept with [sessions] keep_audio = true"
        )
    with SoundWriter(out, WAV_RATE_HZ, channels=2) as writer:
        written = 0
        for line in _time_line(summary, turns):
            if not line.audio:
                continue
            samples = read_audio(line.audio, WAV_RATE_HZ)
            start = max(written, round(line.start_s * WAV_RATE_HZ))
            stereo = np.zeros((start - written + len(samples), 2), np.float32)  # (N, left and right)
            stereo[start - written :, 0 if line.speaker == "You" else 1] = samples
            writer.write(stereo)
            written += len(stereo)
