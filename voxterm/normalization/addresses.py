"""URLs, e-mail addresses, file names and paths, spoken short: the path of a URL is left out."""

from __future__ import annotations

import re

from voxterm.normalization.forms import SpokenForm, rewritten
from voxterm.normalization.words import Words

_DOMAINS = "com|org|net|io|dev|ai|edu|gov|info|app|eu|de|uk|ch"
_FILES = (
    "py|js|ts|txt|md|json|toml|ya?ml|csv|pdf|png|jpe?g|gif|svg|html?|css|cpp|rs|go|java|sh|exe|zip|gz|wav|mp3"
    "|mp4|flac|docx?|xlsx?|ini|cfg|conf|log|sql|xml"
)
_ADDRESS = re.compile(
    r"(?P<email>(?<![\w.@])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6})"
    r"|(?:\b(?:https?|ftp)://|\bwww\.)(?P<host>[\w.-]*\w)(?::\d+)?(?:[/?#][^\s<>\"')\]]*[\w/])?/?"
    rf"|(?<![\w@.-])(?P<domain>(?:[A-Za-z0-9-]{{1,63}}\.){{1,5}}(?:{_DOMAINS}))\b(?:/[^\s<>\"')\]]*[\w/])?(?!\.\w)/?"
    rf"|(?<![\w/\\.~])(?P<file>[\w-]{{1,80}}(?:\.[\w-]{{1,80}}){{0,5}}\.(?:{_FILES}))(?!\w)"
    r"|(?<![\w/.:<~])(?P<path>(?:~|\.{1,2})?(?:/[^\W\d][\w.@+-]{0,80}){1,12})(?<![.])/?"
    r"|(?<!\w)(?P<drive>[A-Z]:(?:\\[\w.-]{1,80}){1,12})(?<![.])"
)
_PARTS = re.compile(r"[.@/\\_+-]+|[^.@/\\_+-]+")
_SIGNS = {".": "dot", "@": "at", "/": "slash", "\\": "slash"}


def with_addresses(form: SpokenForm, words: Words) -> SpokenForm:
    """The form with addresses as they are spoken, or only shortened where the language has no tables."""

    def spoken(address: re.Match[str]) -> str:
        name = address.lastgroup or "host"
        short = address[name].removeprefix("www.").removeprefix("~").lstrip("./")
        return _in_words(short, words) if words.has_tables else short

    return rewritten(form, _ADDRESS, spoken)


def _in_words(address: str, words: Words) -> str:
    said = (
        words.terms.get(_SIGNS.get(part[0], ""), part.strip("\\/-_+.@")) for part in _PARTS.findall(address)
    )
    return " ".join(" ".join(said).split())
