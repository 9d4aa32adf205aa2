"""Frozen facts of a conversation. They go up to whoever watches: the screen, the store, a benchmark.

Times are seconds on the conversation's clock (`clock.Clock.now`). `turn` is the number of the turn a fact
belongs to, from 1. The facts of one turn come in this order (those in brackets may be missing or repeat):

    SpeechStarted  PartialTranscript…  [SpeechPaused [SpeechResumed]]…  (TurnDropped | TurnEnded)
    TranscriptReady  ReplyDelta…  [ReplyStarted  TurnMeasured  ReplyHeard…]  [Interrupted]  TurnFinished

A typed turn begins with TurnEnded. A reply that has not been heard, or has only just begun to be, is
withdrawn (ReplyWithdrawn) when the person goes on speaking; the turn is then open again. A voice in a reply
makes it yield (ReplyYielded); then it goes on (ReplyWentOn), is withdrawn or interrupted. An engine that
transcribes and answers at once may have its reply told, and heard, before TranscriptReady, which then comes
at any time up to TurnFinished, even after Interrupted and into the next turn. TurnMeasured waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from voxterm.errors import as_error


class State(Enum):
    """What voxterm is doing: the one word at the top right of the screen."""

    LOADING = "loading"
    LISTENING = "listening"  # nobody speaks
    HEARING = "hearing"  # the person speaks
    THINKING = "thinking"  # the turn is over; no sound of the reply yet
    SPEAKING = "speaking"  # the reply is audible
    MUTED = "muted"  # the microphone is not listened to
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: State
    at_s: float


@dataclass(frozen=True, slots=True)
class Loading:
    """An engine is being loaded; `total_bytes` is 0 where the size is not known."""

    engine: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything is loaded: the person can speak. `engines` maps each role to the name of its engine."""

    profile: str
    engines: Mapping[str, str]
    voice: str
    reason: str = ""  # why `auto` chose this profile
    speed: float = 1.0
    keeps_audio: bool = False
    precisions: Mapping[str, str] = field(default_factory=dict)  # of each engine's weights; "": it has none
    persona: str = ""  # who answers; "": the system prompt alone


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    turn: int
    at_s: float


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """What the recogniser believes so far. Each replaces the one before."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    turn: int
    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    turn: int
    at_s: float


@dataclass(frozen=True, slots=True)
class TurnDropped:
    """It was no speech after all (a click, a cough): the turn's number will be used again."""

    turn: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn is judged over. `typed` holds the text of a typed turn, else None."""

    turn: int
    at_s: float
    typed: str | None = None


@dataclass(frozen=True, slots=True)
class TranscriptReady:
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyDelta:
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyWithdrawn:
    """The reply so far is void, and so is the transcript: the person went on before it was heard."""

    turn: int


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The first sample of the reply was handed to the loudspeaker."""

    turn: int
    at_s: float


@dataclass(frozen=True, slots=True)
class ReplyHeard:
    """The reply has been heard up to here: `text[:heard_chars]`; the word now sounding ends at `word_end`."""

    turn: int
    heard_chars: int
    word_end: int


@dataclass(frozen=True, slots=True)
class TurnMeasured:
    """The reply's first sample has left the loudspeaker, and the transcript is known where there will be one:
    how long each stage took, as in `TurnFinished`."""

    turn: int
    latency_ms: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The person cut the reply off, by voice or by key; the loudspeaker was silenced at `at_s`."""

    turn: int
    at_s: float
    by_voice: bool


@dataclass(frozen=True, slots=True)
class ReplyYielded:
    """A voice in the reply: it has faded out and waits, until it is known what the voice is."""

    turn: int
    at_s: float


@dataclass(frozen=True, slots=True)
class ReplyWentOn:
    """The voice was nothing, a cough or an "mm-hm": the reply goes on from the word that it stopped in."""

    turn: int
    at_s: float


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is complete, and this is all of it. `heard_reply` is what of `reply` left the loudspeaker."""

    turn: int
    transcript: str
    reply: str
    heard_reply: str
    interrupted: bool
    typed: bool
    started_at_s: float
    ended_at_s: float  # judged over
    finished_at_s: float
    latency_ms: Mapping[
        str, float | None
    ]  # every stage of `latency.STAGES`; None: no such stage in this turn


@dataclass(frozen=True, slots=True)
class TurnAudio:
    """The sound of a turn that has just finished, for those who keep recordings: float32 mono as bytes."""

    turn: int
    person: bytes = field(repr=False)
    person_rate_hz: int
    reply: bytes = field(repr=False)
    reply_rate_hz: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened in a turn, at a moment of its time line.

    `what` is one of: speech (begins), last_speech (its last sample), pause, asked (an answer is begun in
    secret), withdrawn, resumed, judged_over, audio_encoded, transcript, first_text, first_sentence,
    first_speech, first_samples, handed, left (the loudspeaker: the first sample of the reply), yielded
    (somebody speaks into the reply: it waits), went_on (it was nothing), interrupted, finished.
    """

    what: str
    at_s: float  # after the beginning of the time line


@dataclass(frozen=True, slots=True)
class TurnTimeline:
    """Both sides of a turn that has just finished on one axis, for those who keep it.

    The three series have a value for each `frame_s` from the beginning on.
    """

    turn: int
    frame_s: float
    microphone_dbfs: tuple[float, ...]
    loudspeaker_dbfs: tuple[float, ...]
    speech_probability: tuple[float, ...]
    marks: tuple[Mark, ...]  # in the order of their times


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth knowing that is no trouble, such as that a server answers again."""

    text: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong: what, and the remedy. `turn` is None where it belongs to no turn."""

    what: str
    remedy: str
    category: str
    turn: int | None = None

    @classmethod
    def of(cls, error: Exception, remedy: str = "", turn: int | None = None) -> Trouble:
        """What an error says of itself; of any other exception its name and words, with this remedy."""
        told = as_error(error, remedy)
        return cls(told.what, told.remedy, told.category if told is error else "engine", turn)


class DeviceStatus(Enum):
    OPEN = "open"
    RECONNECTING = "reconnecting"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A microphone or loudspeaker was opened, lost or found missing."""

    device: str  # "microphone" or "loudspeaker"
    status: DeviceStatus
    name: str  # the device's own name; "" where there is none
    what: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class VoiceChanged:
    """Who speaks from the next reply on. Also told where another voice was chosen and could not be had, or
    where one failed and another took over."""

    voice: str


@dataclass(frozen=True, slots=True)
class PersonaChanged:
    """Who answers from the next question on: a persona's name, or "" for the system prompt alone."""

    name: str


@dataclass(frozen=True, slots=True)
class SpeedChanged:
    """How fast the next reply is spoken: 2.0 takes half the time."""

    speed: float


@dataclass(frozen=True, slots=True)
class AudioKept:
    """Whether the sound of the turns that begin now is told (TurnAudio), and so stored."""

    kept: bool


@dataclass(frozen=True, slots=True)
class EchoChosen:
    """What is done about the loudspeaker's sound in the microphone, and why.

    `mode` is "cancel" (it is subtracted), "half_duplex" (the microphone is closed while voxterm speaks) or
    "off". `coupling_db`: how loud the echo is beside what was played; None: not measured, or none was heard.
    `delay_ms`: how long it takes, likewise.
    """

    mode: str
    why: str
    coupling_db: float | None = None
    delay_ms: float | None = None


@dataclass(frozen=True, slots=True)
class DialogueCleared:
    """The models know nothing of what was said before."""


@dataclass(frozen=True, slots=True)
class Levels:
    """A glance at the sound, about ten times a second."""

    microphone_dbfs: float
    loudspeaker_dbfs: float
    speech_probability: float
    buffered_ms: float  # reply that waits for the loudspeaker
    overruns: int  # blocks of the microphone that were lost
    underruns: int  # times the loudspeaker ran dry in a reply
    speech_behind: bool = False  # the reply's speech is being made more slowly than it is played
    echo_reduced_db: float | None = None  # what echo cancelling takes off now; None: there is nothing to take


Event: TypeAlias = (
    StateChanged
    | Loading
    | Ready
    | SpeechStarted
    | PartialTranscript
    | SpeechPaused
    | SpeechResumed
    | TurnDropped
    | TurnEnded
    | TranscriptReady
    | ReplyDelta
    | ReplyWithdrawn
    | ReplyStarted
    | ReplyHeard
    | TurnMeasured
    | ReplyYielded
    | ReplyWentOn
    | Interrupted
    | TurnFinished
    | TurnAudio
    | TurnTimeline
    | Remark
    | Trouble
    | DeviceChanged
    | VoiceChanged
    | PersonaChanged
    | SpeedChanged
    | AudioKept
    | EchoChosen
    | DialogueCleared
    | Levels
)
