"""`voxterm voices`, and `voxterm say --voice`, which takes the engine of the voice."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from tiny import tiny_orpheus, tiny_snac

from voxterm.__main__ import main
from voxterm.cli.voice_needs import VoiceNeeds
from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.voices import Catalogue, voices_folder

HINDI = "canopylabs/3b-hi-ft-research_release"
CODEC = "hubertsiuzdak/snac_24khz"


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def voices(self) -> dict[str, Any]:
        return {voice["name"]: voice for voice in json.loads(self.out)["voices"]}


Command = Callable[..., Said]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command on a machine on which nothing was fetched."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def run(*argv: object) -> Said:
        code = main([str(argument) for argument in argv])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Flags with which Orpheus' English checkpoint is a tiny one, and its codec too."""
    folder = tmp_path_factory.mktemp("tiny")
    return [
        f"--set=engines.orpheus.checkpoint={tiny_orpheus(folder / 'orpheus')}",
        f"--set=engines.orpheus.codec={tiny_snac(folder / 'snac')}",
    ]


class TestVoices:
    def test_json_lists_every_voice_with_all_that_is_known_of_it(self, command: Command) -> None:
        said = command("voices", "--json")
        catalogue = Catalogue.read(voices_folder())
        assert (said.code, said.err) == (0, "")
        assert list(said.voices) == list(catalogue.voices)
        assert said.voices["ऋतिका"] == {
            "name": "ऋतिका",
            "engine": "orpheus",
            "language": "hi",
            "checkpoint": HINDI,
            "speaker": "ऋतिका",
            "description": "Orpheus, Hindi: ऋतिका",
            "tags": [],
            "is_here": False,
        }
        assert said.voices["hindi"]["checkpoint"] == ""
        assert said.voices["hindi"]["is_here"] is True
        assert "<laugh>" in said.voices["tara"]["tags"]

    @pytest.mark.parametrize(
        ("flags", "among", "not_among"),
        [
            (["--language", "hi"], {"hindi", "ऋतिका"}, {"tara", "english"}),
            (["--language", "PT"], {"brazilian", "portuguese"}, {"spanish"}),
            (["--language", "pt-br"], {"brazilian"}, {"portuguese"}),
            (["--language", "hi-IN"], {"hindi", "ऋतिका"}, {"tara", "english"}),
            (["--language", "en-IN"], {"tara", "english", "british"}, {"hindi"}),
            (["--engine", "orpheus"], {"tara", "ऋतिका"}, {"hindi"}),
            (["--engine", "orpheus", "--language", "hi"], {"ऋतिका"}, {"hindi", "tara"}),
        ],
    )
    def test_of_a_language_and_an_engine(
        self, flags: list[str], among: set[str], not_among: set[str], command: Command
    ) -> None:
        voices = command("voices", "--json", *flags).voices
        assert among <= set(voices)
        assert not not_among & set(voices)

    @pytest.mark.parametrize(
        ("flags", "line"),
        [
            (["--engine", "orfeus"], 'there is no engine "orfeus" that speaks; did you mean "orpheus"?'),
            (["--engine", "voxtral"], 'there is no engine "voxtral" that speaks; '),
            (["--language", "hindi"], 'nobody speaks "hindi"; did you mean "hi"?'),
            (["--language", "zz"], 'nobody speaks "zz"; there are en, zh, es, fr, hi, it, ja, pt and 1'),
            (["--language", "zz-IN"], 'nobody speaks "zz-IN"; there are en, '),
            (["--engine", "orpheus", "--language", "sw"], 'orpheus speaks no "sw"; there are en, '),
        ],
    )
    def test_nobody_is_one_line_with_the_nearest(self, flags: list[str], line: str, command: Command) -> None:
        said = command("voices", *flags)
        assert said.code == 2
        assert said.out == ""
        assert said.err.startswith(f"voxterm: {line}")
        assert said.err.count("\n") == 1

    def test_a_table_says_what_is_to_be_fetched_and_for_whom(self, command: Command) -> None:
        lines = command("voices", "--language", "hi", "--engine", "orpheus").out.splitlines()
        assert lines[0].split() == ["name", "engine", "language", "description"]
        assert lines[1].split()[:4] == ["ऋतिका", "orpheus", "hi", "▲"]
        assert [line for line in lines[2:] if f"`voxterm fetch {HINDI}`" in line and "(ऋतिका)" in line]
        assert [line for line in lines[2:] if f"`voxterm fetch {CODEC}`" in line and "(ऋतिका)" in line]
        assert len(lines) == 4
        assert "▲" not in command("voices", "--engine", "espeak").out

    def test_what_many_need_is_said_once(self, command: Command) -> None:
        out = command("voices", "--engine", "orpheus").out
        assert out.count(f"voxterm fetch {CODEC}") == 1
        assert "and 22 more)" in out

    def test_a_checkpoint_of_the_settings_stands_in_for_the_engines_own(
        self, command: Command, tiny: list[str]
    ) -> None:
        voices = command("voices", "--json", "--engine", "orpheus", *tiny).voices
        assert voices["tara"]["checkpoint"] in tiny[0]
        assert voices["tara"]["is_here"] is True
        assert voices["ऋतिका"]["checkpoint"] == HINDI, "it has other speakers"
        assert voices["ऋतिका"]["is_here"] is False

    def test_what_is_broken_is_said_beside_the_others(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "voices"
        shutil.copytree(voices_folder(), folder)
        (folder / "orpheus-en-leo.toml").write_text('name = "leo"\nengine = "orfeus"\n', encoding="utf-8")
        monkeypatch.setattr("voxterm.cli.voices.voices_folder", lambda: folder)
        said = command("voices", "--json")
        assert said.code == 0
        assert "leo" not in said.voices
        assert {"tara", "english"} <= set(said.voices)
        assert "orpheus-en-leo.toml, line 2: there is no engine" in said.err
        assert said.err.count("\n") == 1

    def test_packages_are_needed_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        catalogue = Catalogue.read(voices_folder())
        monkeypatch.setattr(Declaration, "lacking", lambda self: ("torch",) if self.name == "orpheus" else ())
        needs = VoiceNeeds(EngineSettings())
        (error,) = needs.lacking(catalogue.find("tara"))
        assert "torch" in error.what
        assert "pip install" in error.remedy
        assert needs.lacking(catalogue.find("hindi")) == []


class TestSay:
    def test_a_voice_brings_its_engine(self, command: Command, tiny: list[str], tmp_path: Path) -> None:
        out = tmp_path / "a.wav"
        said = command("say", "Hello.", "--out", out, "--voice", "Leo", *tiny)
        assert said.code == 0, said.err
        assert said.out.strip().endswith(", leo (orpheus)")
        assert soundfile.info(out).samplerate == 24_000

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_what_is_missing_is_one_line_and_nobody_else_speaks(
        self, form: str, command: Command, tmp_path: Path
    ) -> None:
        out = tmp_path / "a.wav"
        name = unicodedata.normalize(form, "유나")  # type: ignore[arg-type]
        said = command("say", "안녕하세요", "--out", out, "--voice", name)
        assert said.code == 1
        assert said.err.count("\n") == 1
        assert "voxterm: 유나 cannot speak yet: " in said.err
        assert "`voxterm fetch canopylabs/3b-ko-ft-research_release`" in said.err
        assert f"`voxterm fetch {CODEC}`" in said.err
        assert not out.exists()

    def test_where_there_is_no_room_it_is_said(
        self, command: Command, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from voxterm.engines.registry import Profile

        monkeypatch.setattr(
            Profile, "without", lambda self, absent: Profile("x", ("pocketsphinx", "eliza", "espeak"))
        )
        said = command("say", "Hello.", "--out", tmp_path / "a.wav", "--voice", "leo", *tiny)
        assert said.code == 1
        assert "there is no room for orpheus here" in said.err

    def test_a_profile_that_is_asked_for_keeps_its_engine(self, command: Command, tmp_path: Path) -> None:
        out = tmp_path / "a.wav"
        said = command("say", "नमस्ते", "--out", out, "--voice", "ऋतिका", "--profile", "embedded")
        assert said.code == 0
        assert "hindi speaks in its place" in said.err
        assert np.abs(soundfile.read(out)[0]).max() > 0.05

    @pytest.mark.parametrize(
        ("name", "speaks"), [("GERMAN", "german"), ("espeak:sv", "espeak:sv"), ("auto", "english")]
    )
    def test_a_voice_that_needs_nothing(
        self, name: str, speaks: str, command: Command, tmp_path: Path
    ) -> None:
        said = command("say", "Guten Tag.", "--out", tmp_path / "a.wav", "--voice", name)
        assert said.code == 0, said.err
        assert f"{speaks} (espeak)" in said.out

    def test_an_unknown_voice(self, command: Command, tmp_path: Path) -> None:
        said = command("say", "Hi.", "--out", tmp_path / "a.wav", "--voice", "tarra")
        assert said.code == 2
        assert 'no voice "tarra"' in said.err
        assert "tara" in said.err
