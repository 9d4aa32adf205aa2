"""What a synthesizer is given for what stands in a reply."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.normalization import speakable, spoken_form

LANGUAGES = ["en", "de", "fr", "es", "it", "ko", "pt-BR", "hi", "zh-CN", "en-US", "xx", ""]
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "105",
                " ",
                "$5.50",
                "3–5",
                "10:30",
                "`a_b`",
                "```\n",
                "\n",
                "| a |",
                "[x](y)",
                "https://a.com/b?c",
                "XIV",
                "z. B.",
                "Dr.",
                "No. 5",
                "1.234,5",
                "½",
                "%",
                "<b>",
                "März",
                "5. ",
                "am ",
                "-",
                "/",
                "~",
                "😀",
                "**",
            ]
        ),
        st.text(max_size=4),
    ),
    max_size=40,
).map("".join)

CASES: list[tuple[str, str, str]] = [
    (language, text, said)
    for language, text, said in json.loads(
        (Path(__file__).parents[1] / "data/spoken.json").read_text(encoding="utf-8")
    )
]
"""A language, what is written, and what is said."""


@pytest.mark.parametrize(("language", "text", "said"), CASES)
def test_what_is_said(language: str, text: str, said: str) -> None:
    assert speakable(text, language) == said


@given(TEXTS, st.sampled_from(LANGUAGES))
def test_any_text_has_a_clean_form_that_knows_where_it_came_from(text: str, language: str) -> None:
    form, came_from = spoken_form(text, language)
    assert form == form.strip()
    assert "  " not in form
    assert form.isprintable() or set("\u200c\u200d") & set(form)
    assert not set(form) & set("*`\u200b\u202e\x1b😀")
    assert len(came_from) == len(form)
    assert came_from == sorted(came_from)
    assert all(0 <= index < len(text) for index in came_from)


@given(TEXTS, st.sampled_from(LANGUAGES))
def test_what_has_words_is_never_silent(text: str, language: str) -> None:
    """A piece without sound in the middle of a reply would never count as heard."""
    if any(char.isalnum() for char in text):
        assert speakable(text, language)


@given(
    st.lists(st.from_regex(r"[a-zäéñ]{4,12}[,.!?]?", fullmatch=True), min_size=1), st.sampled_from(LANGUAGES)
)
def test_ordinary_words_stay_as_they_are(words: list[str], language: str) -> None:
    text = " ".join(words)
    form, came_from = spoken_form(text, language)
    assert form == text
    assert came_from == list(range(len(text)))


@given(st.lists(st.from_regex(r"[a-z]{4,12}", fullmatch=True), min_size=1), st.integers(0, 10**9))
def test_words_around_a_number_keep_their_places(words: list[str], number: int) -> None:
    lead = " ".join(words)
    text = f"{lead} {number} {lead}"
    form, came_from = spoken_form(text)
    assert form.startswith(lead)
    assert form.endswith(lead)
    assert came_from[: len(lead)] == list(range(len(lead)))
    assert came_from[-len(lead) :] == list(range(len(text) - len(lead), len(text)))
    number_end = len(lead) + len(str(number))
    assert set(came_from[len(lead) + 1 : -len(lead) - 1]) == {number_end}, (
        "all of it from the number's last digit"
    )


@pytest.mark.parametrize(("language", "text", "said"), CASES)
def test_what_was_put_into_words_is_left_alone(language: str, text: str, said: str) -> None:
    assert speakable(said, language) == said


def test_the_address_of_a_link_is_heard_with_its_text() -> None:
    form, came_from = spoken_form("See [my page](https://x.y) now")
    assert form == "See my page now"
    assert came_from[form.index(" now") - 1] == len("See [my page](https://x.y)") - 1


@pytest.mark.parametrize("language", ["en", "de", "fr", "xx"])
@pytest.mark.parametrize(
    "text",
    [
        "1" * 50_000,
        "1," * 25_000,
        "\n" * 50_000 + "a",
        " " * 50_000 + "|a",
        "| " * 25_000,
        "a." * 25_000,
        "/a" * 25_000,
        "[" * 50_000,
        "`" * 50_000,
        "```\n" * 12_000,
        "-" * 50_000,
        "5 " * 25_000,
        "a@" * 25_000,
    ],
    ids=lambda text: text[:4].encode("unicode_escape").decode(),
)
def test_monstrous_texts_take_linear_time(text: str, language: str) -> None:
    """A pattern that looks back over the whole text for each character would need minutes."""
    began_s = time.process_time()
    spoken_form(text, language)
    assert time.process_time() - began_s < 5


def test_the_library_for_numbers_waits_for_the_first_number() -> None:
    code = (
        "import sys; from voxterm.normalization import speakable; speakable('a word');"
        "assert 'num2words' not in sys.modules; speakable('5'); assert 'num2words' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
