"""What a voice needs on this machine before it can speak: its engine's packages, and its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from voxterm.checkpoints import find
from voxterm.cli.casting import INSTALL_PACKAGES
from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Voice
from voxterm.errors import CheckpointError, EngineLoadError


@dataclass(frozen=True, slots=True)
class VoiceNeeds:
    """By the settings of the engines. Each checkpoint is looked for once."""

    settings: EngineSettings
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _looked_for: dict[str, CheckpointError | None] = field(default_factory=dict)

    def checkpoint(self, voice: Voice) -> str:
        """What has this voice: a folder or owner/repo; "" where the engine needs none. One that the settings
        name stands in for the engine's own."""
        model = ENGINES[voice.engine].model
        if model is None:
            return ""
        own = voice.checkpoint or model.checkpoint
        named: str = getattr(getattr(self.settings, voice.engine), "checkpoint", "")
        return named or own if own == model.checkpoint else own

    def lacking(self, voice: Voice) -> list[EngineLoadError]:
        """What this voice cannot speak without, and what brings it; nothing where all is here."""
        engine = ENGINES[voice.engine]
        if lines := engine.lacking():
            what = f"{engine.title} needs packages that are not installed: {', '.join(lines)}"
            return [EngineLoadError(what, INSTALL_PACKAGES)]
        return [error for place in self._places(engine, voice) if (error := self._look(place))]

    def _places(self, engine: Declaration, voice: Voice) -> list[str]:
        """Its checkpoint, and the codec that it takes."""
        if engine.model is None:
            return []
        codec = [getattr(self.settings, engine.name).codec] if engine.model.codec else []
        return [self.checkpoint(voice), *codec]

    def _look(self, place: str) -> CheckpointError | None:
        if place not in self._looked_for:
            try:
                find(place, environ=self.environ)
            except CheckpointError as error:
                self._looked_for[place] = error
            else:
                self._looked_for[place] = None
        return self._looked_for[place]
