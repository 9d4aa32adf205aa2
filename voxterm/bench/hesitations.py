"""People who hesitate, made by eSpeak NG: sentences of a conversation, with silences put in.

The voice speaks a sentence as a whole and the silence is cut into it, so what comes before sounds as
unfinished as it does in the sentence. A robot's melody is no person's: these pauses stand beside recorded
ones, not for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from voxterm.audio.resample import resample
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples, SpeechChunk, SpeechSynthesizer, Voice

SPEAKERS = ("en-us", "en-us+f3", "en-gb", "en-us+m3")

SENTENCES = (
    "I was thinking |600| that we could go to the harbour tomorrow.",
    "Can you tell me what the weather is like?",
    "Well, |350| I am not sure about that.",
    "My brother lives in Chicago, |400| and |750| he works for the city.",
    "What time is it?",
    "The trains were late again, |300| so I took the |850| the bus to work.",
    "Yes, please.",
    "I would like to know |500| how far it is to the station.",
    "If it rains on Sunday, |450| we can stay at home and read.",
    "That sounds good to me.",
    "She said that she |700| would call us in the evening.",
    "Tell me a story about a king.",
    "First we need some flour, |250| some sugar, |200| and a little milk.",
    "No, I have never been there.",
    "I have a question about |550| about the money that we lost.",
    "How do you feel today?",
    "He wanted to buy a house |350| because the rent was too high.",
    "Let me see, |650| it must be on the second floor.",
    "It is very cold in here.",
    "When I was a child |400| we had a small garden behind the house.",
    "Do you want to go |300| or would you rather stay?",
    "Thank you very much, that was helpful.",
    "The problem is that |900| nobody knows where he went.",
    "Could you repeat that?",
)
"""`|600|` stands for so many milliseconds of silence."""

_SILENCE = re.compile(r"\|(\d+)\| ?")


def people(synthesizer: SpeechSynthesizer) -> Iterator[tuple[str, Samples]]:
    """A name and what is said, (N,) at 16 kHz, of each sentence. The synthesizer is eSpeak NG, loaded."""
    for number, sentence in enumerate(SENTENCES):
        speaker = SPEAKERS[number % len(SPEAKERS)]
        yield f"{speaker} {number + 1}", hesitant(sentence, synthesizer, speaker)


def hesitant(sentence: str, synthesizer: SpeechSynthesizer, speaker: str) -> Samples:
    """The sentence as this speaker says it, with its silences. (N,) at 16 kHz"""
    text = _SILENCE.sub("", sentence)
    begins, chunks = dict[int, float](), list[Samples]()
    for item in synthesizer.speak(text, Voice(speaker, synthesizer.name, "en", speaker)):
        if isinstance(item, SpeechChunk):
            chunks.append(item.samples)
            begins.update({mark.start: mark.at_s for mark in item.words})
    spoken = resample(np.concatenate(chunks), synthesizer.rate_hz, HEARING_RATE_HZ)
    parts, done, taken_chars = list[Samples](), 0, 0
    for silence in _SILENCE.finditer(sentence):
        at = round(begins[silence.start() - taken_chars] * HEARING_RATE_HZ)
        taken_chars += len(silence[0])
        parts += [spoken[done:at], np.zeros(int(silence[1]) * HEARING_RATE_HZ // 1000, np.float32)]
        done = at
    return np.concatenate([*parts, spoken[done:]])
