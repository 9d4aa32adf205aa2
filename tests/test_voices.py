from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import voxterm
from voxterm import voices
from voxterm.engines.espeak.engine import Espeak
from voxterm.engines.protocols import Voice
from voxterm.errors import VoiceError
from voxterm.voices import Catalogue, read_voices, same_name, voices_folder

GOOD = 'name = "anna"\nengine = "espeak"\nlanguage = "de"\nspeaker = "de"\ndescription = "clear"\n'


def write(folder: Path, text: str, name: str = "anna.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read_voice(path: Path) -> Voice:
    (found,) = read_voices(path)
    if isinstance(found, VoiceError):
        raise found
    return found


def test_a_voice_is_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    catalogue = Catalogue.read(tmp_path)
    assert catalogue.problems == ()
    assert catalogue.find("anna") == Voice("anna", "espeak", "de", "de", "clear")
    assert catalogue.for_engine("espeak") == (catalogue.find("anna"),)
    assert catalogue.for_engine("orpheus") == ()


def test_a_voice_may_name_its_checkpoint_and_its_tags(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + 'checkpoint = "own/model"\ntags = ["<laugh>", "<sigh>"]\n')
    voice = read_voice(path)
    assert voice.checkpoint == "own/model"
    assert voice.tags == ("<laugh>", "<sigh>")
    assert hash(voice) == hash(read_voice(path))


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        (GOOD.replace("speaker", "speeker"), 'anna.toml, line 4: unknown key "speeker"', 'mean "speaker"'),
        (GOOD + "\n[pitch]\nhz = 3\n", 'line 7: unknown key "pitch"', "there are name, engine"),
        (GOOD.replace('"clear"', "5"), "line 5: description is 5", 'description = "…"'),
        (GOOD.replace('"anna"', '""'), "line 1: name is empty", "name"),
        (GOOD.replace('speaker = "de"\n', ""), 'line 1: the key "speaker" is missing', "speaker = "),
        (GOOD.replace('"espeak"', '"espaek"'), 'line 2: there is no engine "espaek"', 'mean "espeak"'),
        (GOOD.replace('"espeak"', '"whisper"'), "line 2: there is no engine", "orpheus"),
        (GOOD.replace('"de"\n', '"german"\n', 1), 'line 3: there is no language "german"', "BCP 47"),
        (GOOD.replace('"de"\n', '"de_AT"\n', 1), 'line 3: there is no language "de_AT"', '"pt-BR"'),
        (GOOD.replace('"anna"', '"Auto"'), 'line 1: the name "auto" is reserved', "choose another"),
        (GOOD.replace('"anna"', '"a:b"'), "line 1: the name holds a colon", "another name"),
        (GOOD.replace('"anna"', "anna"), "line 1: not valid TOML", "name = "),
        (GOOD + 'name = "anna"\n', "line 6: not valid TOML", ""),
        (GOOD + "tags = [", "line 6: not valid TOML", ""),
        ("", 'the key "name" is missing', ""),
        (GOOD + "checkpoint = 7\n", "line 6: checkpoint is 7", 'checkpoint = "…"'),
        (GOOD + 'checkpoint = " "\n', "line 6: checkpoint is empty", "leave the line out"),
        (GOOD + 'tags = "<laugh>"\n', "line 6: tags is '<laugh>'", 'tags = ["<laugh>"]'),
        (GOOD + 'tags = ["<laugh>", 3]\n', "line 6: tags holds 3", "angle brackets"),
        (GOOD + 'tags = ["laugh"]\n', "line 6: tags holds 'laugh'", "angle brackets"),
        (GOOD + 'tag = ["<laugh>"]\n', 'line 6: unknown key "tag"', 'mean "tags"'),
    ],
)
def test_a_broken_file_says_where_and_what_would_be_right(
    tmp_path: Path, text: str, what: str, remedy: str
) -> None:
    with pytest.raises(VoiceError) as caught:
        read_voice(write(tmp_path, text))
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert str(tmp_path / "anna.toml") in str(caught.value)


def test_bytes_that_are_no_text_are_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "anna.toml"
    path.write_bytes(GOOD.encode() + b"\n# \xff\xfe\x00")
    with pytest.raises(VoiceError, match=r"anna\.toml, line 7: this is no UTF-8"):
        read_voice(path)


def test_a_folder_in_the_place_of_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "anna.toml").mkdir()
    (problem,) = Catalogue.read(tmp_path).problems
    assert "anna.toml: cannot be read" in problem.what


def test_a_name_that_is_no_text_is_one_problem_not_a_crash(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace('"anna"', "7"))
    (problem,) = Catalogue.read(tmp_path).problems
    assert "name is 7" in problem.what


def test_a_broken_file_does_not_take_the_others_down(tmp_path: Path) -> None:
    write(tmp_path, "nonsense", "a.toml")
    write(tmp_path, GOOD, "b.toml")
    write(tmp_path, GOOD, "c.toml")
    catalogue = Catalogue.read(tmp_path)
    assert list(catalogue.voices) == ["anna"]
    assert len(catalogue.problems) == 2
    assert f"{tmp_path / 'a.toml'}, line 1: not valid TOML" in catalogue.problems[0].what
    assert f"{tmp_path / 'c.toml'}: " in catalogue.problems[1].what
    assert 'there is a voice "anna" already' in catalogue.problems[1].what


SEVERAL = """\
# Two at once.

engine = "espeak"

[[voice]]
name = "anna"
language = "de"
speaker = "de"

[[voice]]
name = "bob"
language = "en-GB"
speaker = "en-gb"
tags = ["<laugh>"]
"""


class TestAFileWithSeveral:
    def test_each_is_a_voice_and_what_stands_above_holds_for_all(self, tmp_path: Path) -> None:
        write(tmp_path, SEVERAL)
        assert list(Catalogue.read(tmp_path).voices.values()) == [
            Voice("anna", "espeak", "de", "de"),
            Voice("bob", "espeak", "en-GB", "en-gb", tags=("<laugh>",)),
        ]

    def test_a_voice_has_its_own_way_over_what_stands_above(self, tmp_path: Path) -> None:
        write(tmp_path, SEVERAL + 'engine = "orpheus"\n')
        assert [voice.engine for voice in Catalogue.read(tmp_path).voices.values()] == ["espeak", "orpheus"]

    @pytest.mark.parametrize(
        ("text", "what", "left"),
        [
            (SEVERAL.replace('speaker = "en-gb"\n', ""), 'line 10: the key "speaker" is missing', ["anna"]),
            (SEVERAL.replace('"en-gb"', "5"), "line 13: speaker is 5", ["anna"]),
            (SEVERAL.replace('speaker = "de"', 'speeker = "de"'), 'line 8: unknown key "speeker"', ["bob"]),
            (SEVERAL.replace('"bob"', '"anna"'), 'there is a voice "anna" already', ["anna"]),
            (SEVERAL.replace('"espeak"', "7"), "line 3: engine is 7", []),
            (SEVERAL.replace("engine", "engin"), 'line 3: unknown key "engin"', []),
            (SEVERAL.replace("[[voice]]", "[[voices]]", 1), 'line 5: unknown key "voices"', ["bob"]),
            (SEVERAL.replace("[[voice]]", "[[voices]]"), 'line 5: unknown key "voices"', []),
            (SEVERAL + "[pitch]\nhz = 3\n", 'line 15: unknown key "pitch"', ["anna", "bob"]),
            ("description = 7\n" + SEVERAL, "line 1: description is 7", ["anna", "bob"]),
            (SEVERAL + "tags = 7\n", "line 15: not valid TOML", []),
            ("voice = 7\n", "line 1: voice is no list of tables", []),
            ("\n[voice]\n", "line 2: voice is no list of tables", []),
            ('engine = "espeak"\nvoice = [{name = "anna"}]\n', 'the key "language" is missing', []),
        ],
    )
    def test_one_that_is_broken_is_named_by_its_line_and_the_others_are_there(
        self, text: str, what: str, left: list[str], tmp_path: Path
    ) -> None:
        write(tmp_path, text)
        catalogue = Catalogue.read(tmp_path)
        (problem,) = catalogue.problems
        assert what in problem.what
        assert str(tmp_path / "anna.toml") in problem.what
        assert list(catalogue.voices) == left

    def test_a_misspelt_head_has_a_remedy(self, tmp_path: Path) -> None:
        for times in (1, 2):
            write(tmp_path, SEVERAL.replace("[[voice]]", "[[voices]]", times))
            (problem,) = Catalogue.read(tmp_path).problems
            assert problem.remedy == "begin each voice with a line [[voice]]"

    def test_a_line_is_of_the_table_it_is_about(self, tmp_path: Path) -> None:
        """What stands in the table after it is not taken for its own."""
        write(tmp_path, SEVERAL.replace('speaker = "de"\n', "") + '[[voices]]\nspeaker = "x"\n')
        lines = [problem.what for problem in Catalogue.read(tmp_path).problems]
        assert ["line 14" in line and '"voices"' in line for line in lines] == [True, False]
        assert 'line 5: the key "speaker" is missing' in lines[1]


def test_a_name_is_found_however_it_is_typed(tmp_path: Path) -> None:
    """A keyboard may compose what a file holds in parts, and the other way round."""
    for at, name in enumerate(("유나", "Amélie", "ऋतिका", "zoé")):
        write(
            tmp_path,
            GOOD.replace("anna", unicodedata.normalize("NFD" if at % 2 else "NFC", name)),
            f"{at}.toml",
        )
    catalogue = Catalogue.read(tmp_path)
    for name in ("유나", "amélie", "AMÉLIE", " ऋतिका ", "Zoé"):
        found = {catalogue.find(unicodedata.normalize(form, name)).name for form in ("NFC", "NFD")}
        assert len(found) == 1
        assert same_name(found.pop()) == same_name(name)
    assert catalogue.voice_for(unicodedata.normalize("NFD", "유나"), "espeak")[1] == ""


def test_names_that_differ_by_their_spelling_alone_are_one(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("anna", "Zoé"), "a.toml")
    write(tmp_path, GOOD.replace("anna", unicodedata.normalize("NFD", "zoé")), "b.toml")
    catalogue = Catalogue.read(tmp_path)
    assert list(catalogue.voices) == ["Zoé"]
    assert len(catalogue.problems) == 1


@given(st.text(min_size=1).filter(str.strip))
def test_a_name_is_its_own_and_every_spelling_of_it_is_the_same(name: str) -> None:
    assert len({same_name(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")}) == 1
    assert same_name(f" {same_name(name)}\n") == same_name(name)


def test_where_no_voice_is_near_none_is_proposed(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(VoiceError, match="there is no voice") as caught:
        Catalogue.read(tmp_path).find("qqqq")
    assert caught.value.remedy == "`voxterm voices` lists those that there are"


def test_an_unknown_voice_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(VoiceError, match='no voice "ana"') as caught:
        Catalogue.read(tmp_path).find("ana")
    assert "anna" in caught.value.remedy


@pytest.mark.parametrize("name", ["espeak:", ":de", "orpheus:tara", ""])
def test_only_espeak_has_voices_without_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(VoiceError):
        Catalogue.read(tmp_path).find(name)


def test_any_espeak_voice_needs_no_file(tmp_path: Path) -> None:
    assert Catalogue.read(tmp_path).find("espeak:sv") == Voice("espeak:sv", "espeak", "sv", "sv")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="no folder"):
        Catalogue.read(tmp_path / "nowhere")


def test_the_folder_is_inside_an_installed_package_else_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "voxterm"
    package.mkdir()
    monkeypatch.setattr(voices, "__file__", str(package / "voices.py"))
    assert voices_folder() == tmp_path / "voices"
    (package / "voices").mkdir()
    assert voices_folder() == package / "voices"


def test_every_shipped_voice_can_speak() -> None:
    catalogue = Catalogue.read(voices_folder())
    assert Path(voxterm.__file__).parent.parent in voices_folder().parents
    assert catalogue.problems == ()
    assert {"english", "british", "german", "hindi", "mandarin"} <= set(catalogue.voices)
    espeak = Espeak()
    espeak.load(lambda done, total: None)
    for voice in catalogue.for_engine("espeak"):
        assert voice.description
        assert next(espeak.speak("hello", voice)).samples.size


class TestVoiceFor:
    CATALOGUE = Catalogue.read(voices_folder())

    @pytest.mark.parametrize(
        ("name", "engine", "speaker"),
        [
            ("auto", "espeak", "english"),
            ("auto", "orpheus", "tara"),
            ("leo", "orpheus", "leo"),
            ("german", "orpheus", "jana"),
            ("ऋतिका", "espeak", "hindi"),
        ],
    )
    def test_gives_a_voice_of_the_engine_in_the_language(self, name: str, engine: str, speaker: str) -> None:
        voice, note = self.CATALOGUE.voice_for(name, engine)
        assert (voice.name, voice.engine) == (speaker, engine)
        assert (note == "") == (name in ("auto", speaker))
        assert note == "" or (name in note and speaker in note)

    def test_refuses_a_language_that_the_engine_lacks(self) -> None:
        with pytest.raises(VoiceError, match="orpheus speaks no sw") as caught:
            self.CATALOGUE.voice_for("espeak:sw", "orpheus")
        assert "choose a voice of orpheus" in caught.value.remedy
        with pytest.raises(VoiceError, match='no voice "tarra"'):
            self.CATALOGUE.voice_for("tarra", "orpheus")
