"""All engines that can hear, answer or speak, by name."""

from __future__ import annotations

from collections.abc import Mapping

from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.embedded import ELIZA, ESPEAK, POCKETSPHINX
from voxterm.engines.declared.kokoro import KOKORO
from voxterm.engines.declared.llm import LLM
from voxterm.engines.declared.openai import OPENAI
from voxterm.engines.declared.orpheus import ORPHEUS
from voxterm.engines.declared.voxtral import VOXTRAL
from voxterm.engines.declared.voxtral_realtime import VOXTRAL_REALTIME
from voxterm.engines.declared.whisper import WHISPER

ENGINES: Mapping[str, Declaration] = {
    engine.name: engine
    for engine in (
        VOXTRAL,
        VOXTRAL_REALTIME,
        WHISPER,
        POCKETSPHINX,
        LLM,
        OPENAI,
        ELIZA,
        ORPHEUS,
        KOKORO,
        ESPEAK,
    )
}
