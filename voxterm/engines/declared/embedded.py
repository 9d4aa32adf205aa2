"""The embedded engines, which need no GPU, no download and no network; and the light VAD's settings."""

from __future__ import annotations

from pydantic import Field

from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.section import Section


class WebRtcVadSettings(Section):
    mode: int = Field(default=2, ge=0, le=3)


class ElizaSettings(Section):
    seed: int | None = None


POCKETSPHINX = Declaration(
    name="pocketsphinx",
    title="PocketSphinx",
    role="transcriber",
    place="voxterm.engines.pocketsphinx.engine:PocketSphinx",
    is_embedded=True,
)
ELIZA = Declaration(
    name="eliza",
    title="ELIZA",
    role="language model",
    place="voxterm.engines.eliza:built",
    is_embedded=True,
)
ESPEAK = Declaration(
    name="espeak",
    title="eSpeak NG",
    role="synthesizer",
    place="voxterm.engines.espeak.engine:Espeak",
    first_voice="english",
    has_open_voices=True,
    is_embedded=True,
)
