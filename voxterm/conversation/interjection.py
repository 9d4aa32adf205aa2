"""Whether a voice in a reply is the person's turn, or a cough, a hum, or a word that only says "I listen".

Pure. A recogniser that knows nothing but words finds some in any sound: PocketSphinx writes a cough as "fun"
and an "mm-hm" as "a snap". So two measures of the sound are asked too: how sure the VAD was of it, and
whether anything in it was spoken with the mouth open. Of the words "okay" or "right" into an answer asks it
to go on (Yngve's backchannels, 1970), anything else is the beginning of a turn.

The bounds were set on 20 made coughs, 20 made hums and 86 words and beginnings of sentences, 18 of them of
real people, clean and with white noise at 10 dB. In noise the VAD is less sure of words too, so that it is
asked only in quiet.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

SURE = 0.90
"""Of 82 of the 86 words Silero was surer than this on average, of 4 of the 20 coughs, in which PocketSphinx
heard no words."""

QUIET_DB = 20.0
"""A voice this far above what was before it is in a quiet place, where the VAD is sure of words."""

HUMMED = 0.15
"""A quarter of a word's frames at least have more than this share of their energy above 400 Hz (0.22 and
more); of a voice through the nose alone hardly any does (0.08 to 0.10)."""

MOST_WORDS = 3
"""More than these are a sentence, whatever the words."""

_OPEN_FROM_HZ = 400.0
_RUMBLE_HZ = 80.0
_FRAME_SAMPLES = 512
_STEP_SAMPLES = 160
_HEARD_BELOW_PEAK = 0.01  # of energy: 20 dB
_FRAMES_OF_NOISE = 10  # percent: the quietest are what there is beside the voice

_CONTINUERS = """
    mm mmm mhm mmhm mmhmm hm hmm hmmm huh uh uhhuh um umm er erm ah aha ahh oh ooh wow yeah yep yup yes ok
    okay right sure see i great nice cool exactly indeed
    ja jaja genau klar achso stimmt oui ouais voilà si sí claro vale ajá certo esatto já sim
    да угу ага हाँ हां जी हूँ अच्छा ठीक 네 예 응 음 嗯 对 是 好 はい うん ええ
"""
CONTINUERS = frozenset(_CONTINUERS.split())


@dataclass(frozen=True, slots=True)
class Voice:
    """A short voice in a reply: what was heard of it, (N,) at 16 kHz with some of what was before, and how
    sure the VAD was, on average, of its frames."""

    samples: Samples
    certainty: float


def is_turn(voice: Voice, transcript: str, said_before: str = "") -> bool:
    """Whether the person has begun to say something. `said_before` of the transcript was said before."""
    if not holds_words(transcript, said_before):
        return False
    powers, open_share = _frames(voice.samples)
    if not len(powers):
        return True
    loud = powers > powers.max() * _HEARD_BELOW_PEAK
    noise = max(float(np.percentile(powers, _FRAMES_OF_NOISE)), 1e-12)
    is_quiet = 10 * np.log10(float(powers.max()) / noise) > QUIET_DB
    is_hummed = float(np.percentile(open_share[loud], 75)) < HUMMED
    return not (is_hummed or (is_quiet and voice.certainty < SURE))


def holds_words(transcript: str, said_before: str = "") -> bool:
    """Whether there is more in a transcript than backchannels, after the words that were said before."""
    words = _words(transcript)[len(_words(said_before)) :]
    return len(words) > MOST_WORDS or any(word not in CONTINUERS for word in words)


def _words(text: str) -> list[str]:
    """Lower-case, without punctuation inside or out: "Mm-hm," is "mmhm"."""
    plain = "".join(char for char in text.lower() if unicodedata.category(char)[0] not in "PS")
    return plain.split()


def _frames(samples: Samples) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """The power of each frame of 32 ms, every 10 ms, and the share of it above 400 Hz. (F,) both"""
    count = max(0, (len(samples) - _FRAME_SAMPLES) // _STEP_SAMPLES + 1)
    starts = np.arange(count)[:, None] * _STEP_SAMPLES
    frames = samples[starts + np.arange(_FRAME_SAMPLES)] * np.hanning(_FRAME_SAMPLES)  # (F, 512)
    spectrum = np.square(np.abs(np.fft.rfft(frames)))
    frequency_hz = np.fft.rfftfreq(_FRAME_SAMPLES, 1 / HEARING_RATE_HZ)
    powers = spectrum[:, frequency_hz > _RUMBLE_HZ].sum(axis=1)
    return powers, spectrum[:, frequency_hz > _OPEN_FROM_HZ].sum(axis=1) / np.maximum(powers, 1e-12)
