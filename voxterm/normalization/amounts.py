"""Numbers in words: with units, currencies and percent, ranges, sums, fractions, years and phone numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from voxterm.normalization.forms import SpokenForm, rewritten
from voxterm.normalization.numerals import digit_by_digit, in_words, whole_number
from voxterm.normalization.words import Words, words_for

_PHONE = re.compile(
    r"(?<![\w.,+-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,6}){1,5}(?![\w]|[.,-]\d)"
)
_LOCAL_PHONE = re.compile(r"(?:\d{3}[-.])?\d{3}[-.]\d{4}")
_VERSION = re.compile(r"(?<![\w.])\d{1,6}(?:\.\d{1,6}){2,5}(?![\w.]*\w)")
_BETWEEN = {
    "to": re.compile(r"(?<=\d)(?:[–−]|\s–\s|-(?=\d{1,4}(?!\w*-\d)))(?=[$€£¥₹]?\d)"),
    "times": re.compile(r"(?<=\d)\s?×\s?(?=\d)|(?<=\d)\s[x*]\s(?=\d)|(?<=\d)x(?=\d)"),
    "divided": re.compile(r"(?<=\d)(?:\s?÷\s?|\s/\s)(?=\d)"),
    "plus": re.compile(r"(?<=[\w)])\s?\+\s?(?=\d)|(?<=[\w)])\s\+\s(?=[\w(])|(?<=\d)\+(?!\w)"),
    "minus": re.compile(r"(?<=[\w)])\s[-−]\s(?=\d)"),
    "equals": re.compile(r"(?<=[\w)²³])\s?={1,2}\s?(?=[\w(−-])"),
    "less": re.compile(r"(?<=[\w)])\s<\s(?=[\w-])"),
    "greater": re.compile(r"(?<=[\w)])\s>\s(?=[\w-])"),
}
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8"}


def with_amounts(form: SpokenForm, words: Words) -> SpokenForm:
    """The form with its numbers in words, as far as the language is known."""
    if not words.has_numbers:
        return form
    if not words.has_tables:
        return rewritten(form, _PLAIN, lambda number: whole_number(number[0], words.language))
    form = rewritten(form, _PHONE, lambda phone: _phone(phone[0], words))
    form = rewritten(form, _VERSION, lambda version: _version(version[0], words))
    for term, sign in _BETWEEN.items():
        form = rewritten(form, sign, lambda match, term=term: f" {words.terms[term]} ")  # type: ignore[misc]
    return rewritten(form, _amounts(words.language), lambda amount: _amount(amount, words))


_PLAIN = re.compile(r"(?<![\w.,:/-])\d+(?![\w:/-]|[.,]\d)")


@lru_cache(maxsize=8)
def _amounts(language: str) -> re.Pattern[str]:
    """Each alternative one kind of number, the more particular ones first."""
    words = words_for(language)
    gap = "[ \u00a0\u202f]?"
    number = rf"\d{{1,3}}(?:[{words.thousands}]\d{{3}})+(?!\d)|\d+"
    decimals = rf"(?:[{words.decimal}.]\d+)?"
    sign = r"(?:(?<![\w)])[-−])?"
    amount = rf"(?:{number}){decimals}"
    scale = f"(?:{gap}(?P<scale_{{}}>{_any_of(words.scales)})(?![^\\W_]))?"
    named_scale = r"(?P<named>\s(?:million|billion|trillion|thousand)\b)?"
    money, unit = _any_of(words.currencies), _any_of(words.units)
    return re.compile(
        rf"(?<![\w])(?P<before>{money}){gap}(?P<price>{amount}){scale.format('a')}{named_scale}(?![^\W_])"
        rf"|(?<![^\W_])(?P<cost>{sign}{amount}){scale.format('b')}{gap}(?P<after>{money})(?![^\W_])"
        r"|(?<![\w.])(?P<decade>[12]\d\d0|(?<=the )\d0)s(?!\w)"
        rf"|(?<![^\W_])(?P<measure>{sign}{amount}){gap}(?P<unit>{unit})(?![^\W_²³/])"
        rf"|(?<![\w/.])(?P<fraction>\d{{1,3}}/\d{{1,3}})(?![\w/])|(?:(?P<mixed>\d{{1,3}})\s?)?(?P<vulgar>[{''.join(_VULGAR)}])"
        rf"|(?<![^\W_])(?P<number>(?:[#~](?=\d))?{sign}{amount})(?P<scaled>[kK](?![^\W_]))?(?![^\W_])"
    )


def _any_of(table: Mapping[str, object]) -> str:
    return "|".join(map(re.escape, sorted(table, key=len, reverse=True))) or r"(?!)"


def _amount(match: re.Match[str], words: Words) -> str | None:
    kind = next(name for name in _KINDS if match[name])
    return _KINDS[kind](match, words)


def _price(match: re.Match[str], words: Words) -> str:
    one, many = words.currencies[match["before"] or match["after"]]
    amount = match["price"] or match["cost"]
    scale = words.scales.get(match["scale_a"] or match["scale_b"] or "") or (match["named"] or "").strip()
    if scale:
        return f"{_number(amount, words)} {scale} {many}"
    whole, cents = _halves(amount, words)
    if len(cents) != 2:
        return _number(amount, words) + f" {many}" if amount != "1" else one
    said = one if whole == "1" else f"{_number(whole, words)} {many}"
    if not int(cents):
        return said
    only = whole == "0" and match[0].strip("0123456789.,- ") in "$€"
    in_cents = in_words(int(cents), words.language)
    return words.terms["only_cents" if only else "cents"].format(amount=said, cents=in_cents)


def _measure(match: re.Match[str], words: Words) -> str:
    one, many = words.units[match["unit"]]
    return one if match["measure"] == "1" else f"{_number(match['measure'], words)} {many}"


def _fraction(match: re.Match[str], words: Words) -> str | None:
    written = match["fraction"] or _VULGAR[match["vulgar"]]
    whole = f"{in_words(int(match['mixed']), words.language)} {words.terms['and']} " if match["mixed"] else ""
    if written in words.fractions:
        return whole + words.fractions[written]
    top, bottom = (in_words(int(part), words.language) for part in written.split("/"))
    return f"{whole}{top} {words.terms['of']} {bottom}"


def _decade(match: re.Match[str], words: Words) -> str | None:
    if words.language != "en":
        return None
    said = in_words(int(match["decade"]), "en", "year" if len(match["decade"]) == 4 else "cardinal")
    return said[:-1] + "ies" if said.endswith("y") else said + "s"


def _plain_number(match: re.Match[str], words: Words) -> str:
    written = match["number"]
    if written[0] in "#~":
        term = "number" if written[0] == "#" else "about"
        return f"{words.terms[term]} {_number(written[1:], words)}"
    if match["scaled"]:
        return f"{_number(written, words)} {in_words(1000, words.language).removeprefix('one ')}"
    if written == "1" and re.match(r"\s[^\W\d_]", match.string[match.end() : match.end() + 2]):
        return words.terms["one"]
    if _is_year(written, words.language):
        return in_words(int(written), words.language, "year")
    return _number(written, words)


_KINDS = {
    "price": _price,
    "cost": _price,
    "measure": _measure,
    "fraction": _fraction,
    "vulgar": _fraction,
    "decade": _decade,
    "number": _plain_number,
}


def _is_year(written: str, language: str) -> bool:
    last = {"en": 2099, "de": 1999}.get(language, 0)
    return len(written) == 4 and written.isdigit() and 1100 <= int(written) <= last


def _number(written: str, words: Words) -> str:
    """A number with sign, groups and decimals."""
    minus = f"{words.terms['minus']} " if written[0] in "-−" else ""
    whole, decimals = _halves(written.lstrip("-−"), words)
    said = minus + whole_number(whole, words.language)
    if not decimals:
        return said
    is_own = words.decimal in written
    point = words.terms["point" if is_own or words.decimal == "." else "dot"]
    as_number = words.language in {"fr", "es", "it"} and len(decimals) <= 2 and decimals[0] != "0"
    after = in_words(int(decimals), words.language) if as_number else digit_by_digit(decimals, words.language)
    return f"{said} {point} {after}"


def _halves(written: str, words: Words) -> tuple[str, str]:
    """The digits before and behind the decimal sign."""
    plain = written.lstrip("-−")
    grouped = re.fullmatch(rf"(\d{{1,3}}(?:[{words.thousands}]\d{{3}})+)(?:[{words.decimal}](\d+))?", plain)
    whole, decimals = grouped.groups() if grouped else (*re.split("[.,]", plain, maxsplit=1), "")[:2]
    return re.sub(r"\D", "", whole), decimals or ""


def _version(written: str, words: Words) -> str | None:
    if re.fullmatch(rf"\d{{1,3}}(?:[{words.thousands}]\d{{3}})+", written):
        return None
    point = words.terms["point" if words.decimal == "." else "dot"]
    return f" {point} ".join(whole_number(part, words.language) for part in written.split("."))


def _phone(written: str, words: Words) -> str | None:
    digits = re.sub(r"\D", "", written)
    if not 7 <= len(digits) <= 15 or not (written[0] in "+(0" or _LOCAL_PHONE.fullmatch(written)):
        return None
    groups = [digit_by_digit(group, words.language) for group in re.findall(r"\d+", written)]
    plus = f"{words.terms['plus']} " if written[0] == "+" else ""
    return plus + ", ".join(groups)
