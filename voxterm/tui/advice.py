"""What each stage of the latency means, and what a person can try where it takes too long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    means: str
    to_try: str


ADVICE: Mapping[str, Advice] = {
    "endpoint_wait": Advice(
        "your last sample of speech → your turn is judged over",
        "a smaller turns.finished_silence_ms ends your turn sooner, and cuts you off more often",
    ),
    "audio_encode": Advice(
        "the answer is asked for → your sound has been taken in",
        "gpu.precision = int8 reads less; end what else computes on the GPU",
    ),
    "transcript": Advice(
        "your sound has been taken in → what you said is known",
        "shorter turns have shorter transcripts; it runs beside the reply and does not hold it up",
    ),
    "first_text": Advice(
        "your sound has been taken in → the first piece of the reply's text",
        "a long dialogue is read first: c clears it, dialogue.memory_turns keeps it short",
    ),
    "first_sentence": Advice(
        "the first piece of text → the first piece worth speaking",
        "a system prompt that asks for short sentences; gpu.precision = int8 or int4",
    ),
    "first_speech": Advice(
        "the first piece worth speaking → its first speech token",
        "end what else computes on the GPU; gpu.precision = int8",
    ),
    "codec": Advice(
        "its first speech token → its first samples",
        "engines.orpheus.first_chunk_frames = 1 speaks sooner, a little more roughly",
    ),
    "playout": Advice(
        "the first sample is handed to the loudspeaker → it leaves it",
        "a wired loudspeaker instead of Bluetooth; a nearer sound server (d chooses the device)",
    ),
    "response": Advice(
        "your turn is judged over → the first sample is handed to the loudspeaker",
        "look at the stages beyond their targets above",
    ),
    "voice_to_voice": Advice(
        "your last sample of speech → the first sample leaves the loudspeaker",
        "most of it is the endpoint wait and the playout: see there",
    ),
}
"""By `latency.Stage.key`."""
