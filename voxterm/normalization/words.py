"""What a language has for symbols, units, currencies and short forms, as its file in `languages` gives it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

from voxterm.normalization.numerals import LANGUAGES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAIRS = ("units", "currencies")
"""Tables whose entries are pairs."""

CODE: Mapping[str, str] = {
    "ar": "بعض الشفرة",
    "hi": "कुछ कोड",
    "ja": "コード",
    "ko": "코드",
    "nl": "wat code",
    "pl": "trochę kodu",
    "pt": "algum código",
    "ru": "немного кода",
    "tr": "biraz kod",
    "zh": "一段代码",
}
"""What is said for a block of code in languages that have no file."""


@dataclass(frozen=True, slots=True)
class Words:
    """Of one language. Where a mapping has nothing for a token, it stays as it is written.

    A unit or currency is a pair: all of "one mile", and what stands behind other numbers.
    """

    language: str
    thousands: str = ","  # each of these characters stands between groups of three digits
    decimal: str = "."
    months: tuple[str, ...] = ()
    month_numbers: Mapping[str, int] = field(default_factory=dict)  # by name and short form
    terms: Mapping[str, str] = field(default_factory=dict)  # "dot", "to" … by their English names
    units: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    currencies: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    scales: Mapping[str, str] = field(default_factory=dict)  # "M" of $5M
    symbols: Mapping[str, str] = field(default_factory=dict)
    fractions: Mapping[str, str] = field(default_factory=dict)
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    before_numbers: Mapping[str, str] = field(default_factory=dict)  # short forms where a number follows

    clock: Mapping[str, str] = field(default_factory=dict)  # how hours and minutes are put together
    dates: Mapping[str, str] = field(default_factory=dict)
    roman: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_numbers(self) -> bool:
        return self.language in LANGUAGES

    @property
    def has_tables(self) -> bool:
        return bool(self.months)

    @property
    def code(self) -> str:
        """What is said for a block of code."""
        return self.terms.get("code") or CODE.get(self.language, "code")


@lru_cache(maxsize=32)
def words_for(language: str) -> Words:
    """The words of a BCP 47 language, its region aside."""
    primary = re.split("[-_]", language.lower(), maxsplit=1)[0]
    file = resources.files("voxterm.normalization") / "languages" / f"{primary}.toml"
    if not primary.isalpha() or not file.is_file():
        return Words(primary)
    table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    months, short = tuple(table.pop("months")), table.pop("short_months")
    numbers = {name: at % 12 + 1 for at, name in enumerate((*months, *short))}
    for name in PAIRS:
        table[name] = {written: tuple(said) for written, said in table[name].items()}
    return Words(primary, months=months, month_numbers=numbers, **table)
