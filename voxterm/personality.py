"""Who answers, and how: what the language model is told before anything else. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from voxterm.engines.protocols import Voice

TAGS_PROMPT = "Where it fits, and seldom, you may write one of these sounds between words: {tags}."


@dataclass(frozen=True, slots=True)
class Personality:
    """What is told of itself to whatever answers."""

    prompt: str = ""

    def told(self, voice: Voice) -> str:
        """The system prompt where this voice speaks: with what it can do beside words. "" for none."""
        tags = TAGS_PROMPT.format(tags=" ".join(voice.tags)) if voice.tags else ""
        return " ".join(filter(None, (self.prompt.strip(), tags)))
