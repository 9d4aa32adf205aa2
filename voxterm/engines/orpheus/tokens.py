"""Orpheus' rules for token ids, without a model: the prompt, what may be sampled, and how ids make frames.

`<custom_token_N>` has the id 128256 + N. Seven audio tokens are one frame of SNAC codes, and each of the
seven slots has 4096 ids of its own, so an id tells which slot it is for. One frame is 85 ms: speech in real
time is 82 tokens a second. From the published inference code of Orpheus, its faults left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from voxterm.engines.protocols import Samples

VOCABULARY = 156_940
TEXT_IDS = 128_000
"""Ids below this one are text; from here on they are Llama's and Orpheus' own marks."""
BEGIN_OF_TEXT, END_OF_TURN = 128_000, 128_009
FIRST_CUSTOM_ID = 128_256
END_OF_SPEECH, START_OF_HUMAN, END_OF_HUMAN, START_OF_AI, END_OF_AI = (
    128_258,
    128_259,
    128_260,
    128_261,
    128_262,
)
START_OF_SPEECH = 128_257
STOP_IDS = (END_OF_SPEECH, END_OF_AI)

SLOTS = 7
CODES = 4096
FIRST_AUDIO_ID = 128_266
LAST_AUDIO_ID = FIRST_AUDIO_ID + SLOTS * CODES - 1
SAMPLED_IDS = (*STOP_IDS, *range(FIRST_AUDIO_ID, LAST_AUDIO_ID + 1))
"""All that a model which speaks can say."""

LAYER_SLOTS = ((0,), (1, 4), (2, 3, 5, 6))
"""Which slots of a frame are the codes of each SNAC layer, from coarse to fine."""

Frame: TypeAlias = tuple[int, ...]
"""Seven codes, 0…4095, in the order of the slots."""

CYCLE_FRAMES = 8
REPEATED_FRAMES = 24  # two seconds of the same cycle: no held vowel and no pause is that even
SILENCE_RMS = 0.001  # −60 dBFS
SILENCE_S = 2.5  # no reader pauses for longer inside a sentence
BLOCK_S = 0.04  # over which loudness is judged


def prompt_ids(text_ids: Sequence[int]) -> list[int]:
    """The prompt around the ids of "{voice}: {text}". Ids that are no text are left out: text is data."""
    text = [id_ for id_ in text_ids if 0 <= id_ < TEXT_IDS]
    return [START_OF_HUMAN, BEGIN_OF_TEXT, *text, END_OF_TURN, END_OF_HUMAN, START_OF_AI, START_OF_SPEECH]


def code_in_slot(token: int, slot: int) -> int | None:
    """The code 0…4095 that an id stands for in a slot of the frame; None: it does not belong there."""
    code = token - FIRST_AUDIO_ID - slot * CODES
    return code if 0 <= code < CODES else None


class FrameBuilder:
    """Puts tokens together to frames. A token out of place is counted and skipped, and moves nothing."""

    def __init__(self) -> None:
        self.accepted = 0
        self.strays = 0
        self._codes: list[int] = []

    def push(self, token: int) -> Frame | None:
        """Take the next id; the frame, where this one completes it."""
        code = code_in_slot(token, len(self._codes))
        if code is None:
            self.strays += 1
            return None
        self.accepted += 1
        self._codes.append(code)
        if len(self._codes) < SLOTS:
            return None
        frame, self._codes = tuple(self._codes), []
        return frame


def layers(frames: Sequence[Frame]) -> list[NDArray[np.int64]]:
    """The codes of each SNAC layer: (W,), (2 W,), (4 W,) for W frames."""
    codes = np.array(frames, dtype=np.int64).reshape(-1, SLOTS)  # (W, 7)
    return [codes[:, slots].reshape(-1) for slots in LAYER_SLOTS]


class RunawayWatch:
    """Notices a model that goes on without saying anything: a cycle of frames, or silence for too long."""

    def __init__(self, rate_hz: int) -> None:
        self._block_samples = round(BLOCK_S * rate_hz)
        self._silence_samples = round(SILENCE_S * rate_hz)
        self._silent_samples = 0
        self._frames: deque[Frame] = deque(maxlen=CYCLE_FRAMES)
        self._repeated = [
            0
        ] * CYCLE_FRAMES  # for each period: how many frames in a row were as one period ago

    def sees_cycle(self, frame: Frame) -> bool:
        """Take the next frame; whether the same few have now come again and again."""
        for back, before in enumerate(reversed(self._frames)):
            self._repeated[back] = self._repeated[back] + 1 if frame == before else 0
        self._frames.append(frame)
        return max(self._repeated) >= REPEATED_FRAMES

    def hears_silence(self, samples: Samples) -> bool:
        """Take the next samples; whether they end a silence that is too long."""
        for begin in range(0, len(samples), self._block_samples):
            block = samples[begin : begin + self._block_samples]
            silent = float(np.sqrt(np.mean(np.square(block)))) < SILENCE_RMS
            self._silent_samples = self._silent_samples + len(block) if silent else 0
        return self._silent_samples >= self._silence_samples
