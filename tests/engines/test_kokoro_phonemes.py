"""What Kokoro's readers say, beside misaki's own readers, which its model was trained with."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from voxterm.engines.espeak.library import espeak_library
from voxterm.engines.kokoro import phonemes as kokoro_phonemes
from voxterm.engines.kokoro.phonemes import Choice, front_end
from voxterm.engines.kokoro.text import Part
from voxterm.errors import VoiceError

with_misaki = pytest.mark.skipif(find_spec("misaki") is None, reason="misaki is not for this Python")


def said(letter: str, text: str, choice: Choice = "espeak") -> str:
    return "".join(part.phonemes for part in front_end(letter, choice)(text)).strip()


@with_misaki
@pytest.mark.parametrize(
    ("letter", "language", "text"),
    [
        ("e", "es", "¿Hola, qué tal? Tengo «cosas» (y 1999 más), ¡sí!"),
        ("e", "es", "El perro de San Roque no tiene rabo; Ramón Rodríguez se lo ha cortado: ¡qué pena…!"),
        ("f", "fr-fr", "J'aime le football, n'est-ce pas? Peut-être 21 fois. C'est — un week-end?"),
        ("f", "fr-fr", "Les enfants sont allés à l'école"),
        ("h", "hi", "नमस्ते, आप कैसे हैं? मैं ठीक हूँ. धन्यवाद!"),
        ("h", "hi", "यह 25 रुपये का है"),
        ("i", "it", "Ciao, come stai? La pizza (margherita) costa 7 euro; gli gnocchi—no."),
        ("p", "pt-br", "Olá, tudo bem? Não sei, mas são 25 irmãos. O coração não tem “razão”!"),
    ],
)
def test_the_phonemes_are_those_of_misaki(letter: str, language: str, text: str) -> None:
    from misaki.espeak import EspeakG2P  # type: ignore[import-untyped]

    assert said(letter, text) == EspeakG2P(language)(text)[0]
    assert said(letter, text, "misaki") == said(letter, text)


@with_misaki
@pytest.mark.parametrize("letter", ["a", "b"])
@pytest.mark.parametrize(
    "text",
    [
        'Hello world, this is one of the cats; I don\'t know—maybe 1999 "bottles" (in the café)?',
        "Yes: it's an apple, little button. The quick brown fox jumps over thirty-three lazy dogs!",
        "Joy, oil and ice now; a rhythm, ten pages and a church.",
    ],
)
def test_english_is_what_misaki_says_of_words_that_it_does_not_know(letter: str, text: str) -> None:
    from misaki.espeak import EspeakFallback

    assert said(letter, text) == EspeakFallback(letter == "b")(SimpleNamespace(text=text))[0]


@pytest.mark.parametrize(("letter", "word", "phonemes"), [("b", "air", "ˈɛː"), ("b", "near", "nˈɪə")])
def test_where_its_rules_miss_misakis_dictionary_decides(letter: str, word: str, phonemes: str) -> None:
    assert said(letter, word) == phonemes


def test_an_r_between_two_words_is_one() -> None:
    """misaki reads word by word, and never sees the one that eSpeak puts between them."""
    assert "ɹɹ" not in said("a", "the other animals")


def test_an_english_word_in_another_language_leaves_no_flag() -> None:
    assert said("f", "le football") == "lə fˈʊtbɔːl"


def test_mandarin_has_its_tones() -> None:
    assert said("z", "妈麻马骂吗") == "ma→ ma↗ ma↓ ma↘ ma"
    assert said("z", "你好，今天。 hello") == "ni↓xau↓, ʨi→n tʰjɛ→n. hələʊ"


def test_mandarin_keeps_its_tones_beside_foreign_words_or_has_none() -> None:
    """In eSpeak's own alphabet digits are vowels too, so that the tones among them cannot always be told."""
    assert said("z", "我有一个iPhone和big data") == "wo↓ jou↓ i↗ko aɪ fəʊn xo↗ bɪɡ deɪtə"
    assert not set(said("z", "大家用water瓶")) & set("→↗↓↘")


def test_of_japanese_kana_are_read_and_kanji_are_refused() -> None:
    """eSpeak says "Chinese letter" for each of them, in English."""
    assert said("j", "りんご") == "ɾˈiŋɡo̞"
    with pytest.raises(VoiceError, match="kanji") as caught:
        said("j", "今日は")
    assert "fugashi" in caught.value.remedy


def test_two_threads_in_two_languages_do_not_disturb_each_other() -> None:
    """eSpeak's voice is one for the process."""
    texts = {"e": "cosas muy buenas", "f": "les choses sont bonnes"}
    alone = {letter: said(letter, text) for letter, text in texts.items()}
    heard: dict[str, set[str]] = {letter: set() for letter in texts}

    def read(letter: str) -> None:
        for _ in range(100):
            heard[letter].add(said(letter, texts[letter]))

    threads = [threading.Thread(target=read, args=(letter,)) for letter in texts]
    for thread in threads:
        thread.start()
    library = espeak_library()
    for _ in range(20):
        library.speak("guten Tag", "gmw/de", 175)
    for thread in threads:
        thread.join(60)
    assert heard == {letter: {phonemes} for letter, phonemes in alone.items()}


@pytest.mark.parametrize(("letter", "module"), [("a", "en_core_web_sm"), ("j", "fugashi"), ("z", "jieba")])
def test_misaki_asked_for_by_name_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, letter: str, module: str
) -> None:
    monkeypatch.setattr(kokoro_phonemes, "find_spec", lambda name: None if name == module else object())
    with pytest.raises(VoiceError, match=f"without {module}") as caught:
        front_end(letter, "misaki")
    assert caught.value.remedy


def installed(monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...] = (), **modules: Any) -> None:
    """As if these modules were there, and all that misaki needs but those that are lacking."""
    monkeypatch.setattr(kokoro_phonemes, "find_spec", lambda name: None if name in lacking else object())
    for name, contents in modules.items():
        module = ModuleType(name.replace("__", "."))
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_auto_takes_misakis_mandarin_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []

    class Reader:
        def __call__(self, run: str) -> tuple[str, None]:
            return f" <{run}> ", None

    installed(
        monkeypatch,
        misaki={},
        misaki__zh={"ZHG2P": Reader},
        jieba={"setLogLevel": levels.append},
    )
    assert said("z", "你好，今天。", "auto") == "<你好>, <今天>."
    assert levels == [40]  # it would write on the screen
    assert said("z", "妈", "espeak") == "ma→"


def test_the_edition_for_mandarin_is_read_in_bopomofo_with_english_words_as_english(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[dict[str, Any]] = []

    class Reader:
        def __init__(self, **options: Any) -> None:
            made.append(options)

        def __call__(self, run: str) -> tuple[str, None]:
            return (made[0]["en_callable"](run) if run.isascii() else "ㄋㄧ2ㄏㄠ3"), None

    installed(
        monkeypatch,
        lacking=("en_core_web_sm",),
        misaki={},
        misaki__zh={"ZHG2P": Reader},
        jieba={"setLogLevel": lambda level: None},
    )
    read = front_end("z", "auto", bopomofo=True)
    assert "".join(part.phonemes for part in read("你好，cat")) == "ㄋㄧ2ㄏㄠ3, kˈæt"
    assert made[0]["version"] == "1.1"
    assert said("a", "cat", "espeak") == "kˈæt"


@pytest.mark.parametrize(
    ("choice", "what", "remedy"),
    [("auto", "without pypinyin_dict", "pypinyin-dict"), ("espeak", "eSpeak NG cannot", "front_end")],
)
def test_nobody_else_reads_mandarin_for_that_edition(
    monkeypatch: pytest.MonkeyPatch, choice: Choice, what: str, remedy: str
) -> None:
    """By the wrong signs it would speak in what sounds like a dialect."""
    monkeypatch.setattr(kokoro_phonemes, "find_spec", lambda name: None if "dict" in name else object())
    with pytest.raises(VoiceError, match=what) as caught:
        front_end("z", choice, bopomofo=True)
    assert remedy in caught.value.remedy


def test_auto_takes_misakis_japanese_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cutlet:
        def __call__(self, run: str) -> tuple[str, None]:
            return "kʲoː", None

    installed(monkeypatch, misaki={}, misaki__cutlet={"Cutlet": Cutlet})
    assert said("j", "今日、今日。", "auto") == "kʲoː, kʲoː."


def test_misakis_japanese_without_a_dictionary_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def cutlet() -> None:
        raise RuntimeError("Failed initializing MeCab")

    installed(monkeypatch, misaki={}, misaki__cutlet={"Cutlet": cutlet})
    with pytest.raises(VoiceError, match="no dictionary") as caught:
        said("j", "今日", "auto")
    assert "unidic-lite" in caught.value.remedy


@pytest.mark.parametrize("letter", ["a", "b"])
def test_misakis_english_gives_every_word_its_place(monkeypatch: pytest.MonkeyPatch, letter: str) -> None:
    text = "Mr. O'Neil – don't!"
    tokens = [
        ("Mr.", "mˈɪstəɹ", " "),
        ("O'Neil", "Onˈil", " "),
        ("–", "—", " "),
        ("do", "dˈO", ""),
        ("n't", "nt", ""),
        ("☃", None, ""),
        ("!", "!", ""),
    ]
    made: list[dict[str, Any]] = []

    class Reader:
        def __init__(self, **options: Any) -> None:
            made.append(options)

        def __call__(self, given: str) -> tuple[str, list[Any]]:
            assert given == text
            names = ("text", "phonemes", "whitespace")
            return "", [SimpleNamespace(**dict(zip(names, token, strict=True))) for token in tokens]

    fallback = SimpleNamespace(EspeakFallback=lambda british: ("fallback", british))
    installed(
        monkeypatch,
        misaki={"espeak": fallback, "en": SimpleNamespace(G2P=Reader)},
    )
    assert list(front_end(letter, "auto")(text)) == [
        Part("mˈɪstəɹ ", 0, 3),
        Part("Onˈil ", 4, 10),
        Part("— "),
        Part("dˈO", 13, 15),
        Part("nt", 15, 18),
        Part("!"),
    ]
    british = letter == "b"
    assert made == [{"trf": False, "british": british, "fallback": ("fallback", british), "unk": ""}]
