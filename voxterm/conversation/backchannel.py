"""Words that take no turn: what a listener says to show that they listen, and the sounds before words.

Pure. "Mm-hm", "okay" or "right" into an answer asks it to go on (Yngve's backchannels, 1970); anything else
is the beginning of a turn.
"""

from __future__ import annotations

import re

MOST_WORDS = 3
"""More than these are a sentence, whatever the words."""

_CONTINUERS = """
    mm mmm mhm mmhm mmhmm hm hmm hmmm huh uh uhhuh um umm er erm ah aha ahh oh ooh wow yeah yep yup yes ok
    okay right sure see i great nice cool exactly indeed
    ja jaja genau klar achso stimmt oui ouais voilà si sí claro vale ajá certo esatto já sim
    да угу ага हाँ हां जी हूँ अच्छा ठीक 네 예 응 음 嗯 对 是 好 はい うん ええ
"""
CONTINUERS = frozenset(_CONTINUERS.split())

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*", re.UNICODE)


def holds_words(transcript: str, said_before: str = "") -> bool:
    """Whether there is more in a transcript than backchannels, after the words that were said before."""
    words = _words(transcript)[len(_words(said_before)) :]
    return len(words) > MOST_WORDS or any(word not in CONTINUERS for word in words)


def _words(text: str) -> list[str]:
    """Lower-case, without the marks inside: "Mm-hm," is "mmhm"."""
    return [re.sub(r"[^\w]", "", word) for word in _WORD.findall(text.lower())]
