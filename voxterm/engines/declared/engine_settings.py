"""The settings that only one engine understands: a section for each, named as the engine is."""

from __future__ import annotations

from voxterm.engines.declared.embedded import ElizaSettings, WebRtcVadSettings
from voxterm.engines.declared.orpheus import OrpheusSettings
from voxterm.engines.declared.section import Section
from voxterm.engines.declared.voxtral import VoxtralSettings


class EngineSettings(Section):
    """`[engines.…]` of `config.toml`."""

    voxtral: VoxtralSettings = VoxtralSettings()
    orpheus: OrpheusSettings = OrpheusSettings()
    webrtc_vad: WebRtcVadSettings = WebRtcVadSettings()
    eliza: ElizaSettings = ElizaSettings()
