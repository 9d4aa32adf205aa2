"""Dates, times of day and ordinal numbers in words."""

from __future__ import annotations

import re
from functools import lru_cache

from voxterm.normalization.forms import SpokenForm, rewritten
from voxterm.normalization.numerals import in_words
from voxterm.normalization.words import Words, words_for

_CLOCK = re.compile(
    r"(?<![\w.:,])(?P<hour>[01]?\d|2[0-4])(?::(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d))?)?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\b(?:\.(?=\s*\S))?|\s(?P<uhr>Uhr)\b)?(?![\w:]|[.,]\d)"
)
_FRENCH_CLOCK = re.compile(
    r"(?<![\w.:,])(?P<hour>[01]?\d|2[0-4])(?:\s?h\s?|:)(?P<minutes>[0-5]\d)(?P<seconds>)(?P<half>)(?P<uhr>)(?![\w:])"
)
_ISO = re.compile(r"(?<![\w-])(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![\w-])")
_NUMERIC = re.compile(
    r"(?<![\w.])(?P<day>\d{1,2})(?P<between>[./-])\s?(?P<month>\d{1,2})(?P=between)\s?(?P<year>\d{4})(?!\w)"
)
_DATIVE = frozenset({"am", "vom", "zum", "zur", "im", "den", "dem", "beim", "seit", "bis", "ab", "des"})
_TRIGGERS = "|".join(sorted(_DATIVE | {"der", "die", "das"}))
_ORDINALS = {
    "en": re.compile(r"(?<![\w.,])(?P<number>\d{1,6})(?:st|nd|rd|th)\b"),
    "de": re.compile(rf"\b(?P<before>(?i:{_TRIGGERS}))\s(?P<number>\d{{1,3}})\.(?=\s[^\W\d_])"),
    "fr": re.compile(r"(?<![\w.,])(?P<number>\d{1,4})(?P<end>ers?|r?es?|ères?|[eè]me|nde?)\b"),
    "es": re.compile(r"(?<![\w.,])(?P<number>\d{1,3})(?P<end>\.?[ºª]|er|ra|ro|da|do|ta|to)(?!\w)"),
    "it": re.compile(r"(?<![\w.,])(?P<number>\d{1,3})(?P<end>[ºª])(?!\w)"),
}


def with_dates(form: SpokenForm, words: Words) -> SpokenForm:
    """The form with its dates, times of day and ordinals in words, for a language that has its tables."""
    form = rewritten(form, _ISO, lambda date: _numeric_date(date, words, day_first=True))
    form = rewritten(form, _NUMERIC, lambda date: _numeric_date(date, words, words.language != "en"))
    for named in _named(words.language):
        form = rewritten(form, named, lambda date: _named_date(date, words))
    clock = _FRENCH_CLOCK if words.language == "fr" else _CLOCK
    form = rewritten(form, clock, lambda time: _time_of_day(time, words))
    return rewritten(form, _ORDINALS[words.language], lambda ordinal: _ordinal(ordinal, words.language))


@lru_cache(maxsize=8)
def _named(language: str) -> tuple[re.Pattern[str], ...]:
    """Dates with the name of a month."""
    words = words_for(language)
    full, short = "|".join(words.months), "|".join(set(words.month_numbers).difference(words.months))
    month = rf"(?:(?P<month>{full})\b|(?P<short>{short})\b(?:\.(?=\s*\S))?)"
    year = r"(?P<year>\d{4})(?!\w)"
    day = r"(?<![\w.,:])(?P<day>\d{1,2})"
    if language == "en":
        first = rf"(?<!\w){month}\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\w:%]|[.,]\d)(?:,?\s{year})?"
        last = rf"(?:\bthe\s)?{day}(?:st|nd|rd|th)?\s(?:of\s)?{month}(?:,?\s{year})?"
        return re.compile(first), re.compile(last)
    if language == "de":
        return (re.compile(rf"(?:\b(?P<before>(?i:{_TRIGGERS}))\s)?{day}\.\s?{month}(?:\s{year})?"),)
    of = r"(?:de\s)?" if language == "es" else ""
    return (re.compile(rf"{day}(?:er|º)?\s{of}{month}(?:\s{of}{year})?"),)


def _numeric_date(date: re.Match[str], words: Words, day_first: bool) -> str | None:
    day, month = int(date["day"]), int(date["month"])
    if not day_first and day <= 12:
        day, month = month, day
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    return _date(day, words.months[month - 1], date["year"], words)


def _named_date(date: re.Match[str], words: Words) -> str | None:
    day = int(date["day"])
    if not 1 <= day <= 31:
        return None
    before = (date.groupdict().get("before") or "").strip()
    month = words.months[words.month_numbers[date["month"] or date["short"]] - 1]
    said = _date(day, month, date["year"], words, before.lower())
    return f"{before} {said}" if before else said


def _date(day: int, month: str, year: str | None, words: Words, before: str = "") -> str:
    form = words.dates["with_year" if year else "day_month"]
    said_year = in_words(int(year), words.language, "year") if year else ""
    return form.format(day=_day(day, words, before), month=month, year=said_year)


def _day(day: int, words: Words, before: str) -> str:
    if words.language == "en":
        return in_words(day, "en", "ordinal")
    if words.language == "de":
        return _german_ordinal(day, before)
    return words.dates["first"] if day == 1 else in_words(day, words.language)


def _german_ordinal(number: int, before: str) -> str:
    """As it agrees with the word before it: "am dritten", "der dritte", and by itself "dritter"."""
    ending = "n" if before in _DATIVE else "" if before else "r"
    return in_words(number, "de", "ordinal") + ending


def _time_of_day(time: re.Match[str], words: Words) -> str | None:
    hour, minutes, half = int(time["hour"]), time["minutes"], time["half"]
    if minutes is None and not half and not time["uhr"]:
        return None
    said = _english_time(hour, minutes, half) if words.language == "en" else _clock(hour, minutes, words)
    if time["seconds"]:
        seconds = int(time["seconds"])
        said = f"{said} {words.terms['and']} {in_words(seconds, words.language)} {words.units['s'][1]}"
    return said


def _english_time(hour: int, minutes: str | None, half: str | None) -> str:
    said = in_words(hour, "en")
    if minutes and int(minutes):
        said += " oh" * (minutes[0] == "0") + f" {in_words(int(minutes), 'en')}"
    elif not half:
        said += " o'clock" if 1 <= hour <= 12 else " hundred"
    return f"{said} {half.upper()}M" if half else said


def _clock(hour: int, minutes: str | None, words: Words) -> str:
    form = words.clock
    said = form["one"] if hour == 1 else form["many"].format(hour=in_words(hour, words.language))
    if not minutes or not int(minutes):
        return said
    return form["minutes"].format(clock=said, minutes=in_words(int(minutes), words.language))


def _ordinal(ordinal: re.Match[str], language: str) -> str:
    number = int(ordinal["number"])
    if language == "de":
        return f"{ordinal['before']} {_german_ordinal(number, ordinal['before'].lower())}"
    said = in_words(number, language, "ordinal") if number else in_words(0, language)
    end = ordinal.groupdict().get("end", "")
    if language == "fr" and number == 1 and end.startswith(("re", "è")):
        return "première" + "s" * end.endswith("s")
    if language == "es" and end.endswith("er"):
        return said.removesuffix("o")
    if end.endswith(("ª", "ra", "da", "ta")):
        return said.removesuffix("o") + "a" * said.endswith("o")
    return said
