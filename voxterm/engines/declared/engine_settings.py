"""The settings that only one engine understands: a section for each, named as the engine is."""

from __future__ import annotations

from voxterm.engines.declared.embedded import ElizaSettings, WebRtcVadSettings
from voxterm.engines.declared.kokoro import KokoroSettings
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.declared.orpheus import OrpheusSettings
from voxterm.engines.declared.section import Section
from voxterm.engines.declared.voxtral import VoxtralSettings
from voxterm.engines.declared.voxtral_realtime import VoxtralRealtimeSettings
from voxterm.engines.declared.whisper import WhisperSettings


class EngineSettings(Section):
    """`[engines.…]` of `config.toml`."""

    voxtral: VoxtralSettings = VoxtralSettings()
    voxtral_realtime: VoxtralRealtimeSettings = VoxtralRealtimeSettings()
    whisper: WhisperSettings = WhisperSettings()
    llm: LlmSettings = LlmSettings()
    openai: OpenAiSettings = OpenAiSettings()
    orpheus: OrpheusSettings = OrpheusSettings()
    kokoro: KokoroSettings = KokoroSettings()
    webrtc_vad: WebRtcVadSettings = WebRtcVadSettings()
    eliza: ElizaSettings = ElizaSettings()
