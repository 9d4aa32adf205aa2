"""The persona that answers: from the settings, a flag or the session to resume; its voice and its speed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from voxterm.cli.casting import cast_of
from voxterm.cli.parser import parse
from voxterm.cli.personas import personalities_of
from voxterm.cli.wiring import settings_of
from voxterm.config import PersonaSettings, Settings, SpeechSettings
from voxterm.errors import ConfigError, SessionError, VoiceError, VoxtermError
from voxterm.store import Store, TurnRecord, utc_now
from voxterm.voices import Catalogue, voices_folder

FILE = """
[sessions]
folder = "{folder}"
[speech]
voice = "scottish"
[dialogue.personas.pirate]
prompt = "You rob."
voice = "german"
speed = 1.5
[dialogue.personas.ghost]
voice = "germn"
[dialogue.personas.any]
voice = "auto"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    file = tmp_path / "config.toml"
    file.write_text(FILE.format(folder=tmp_path / "state"), encoding="utf-8")
    return file


def settings(config: Path, *flags: str) -> Settings:
    return settings_of(parse(["run", "--config", str(config), *flags]))


def spoken(settings: Settings) -> tuple[str, str, float]:
    return settings.dialogue.persona, settings.speech.voice, settings.speech.speed


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ("", "scottish", 1.0)),
        (["--persona", "tutor"], ("tutor", "scottish", 1.0)),
        (["--persona", "pirate"], ("pirate", "german", 1.5)),
        (["--persona", "pirate", "--voice", "french"], ("pirate", "french", 1.5)),
        (["--persona", "pirate", "--set", "speech.speed=0.8"], ("pirate", "german", 0.8)),
        (["--persona", "ghost", "--voice", "french"], ("ghost", "french", 1.0)),
        (["--persona", "any"], ("any", "auto", 1.0)),
        (["--persona", ""], ("", "scottish", 1.0)),
    ],
)
def test_a_persona_brings_its_voice_and_speed_and_flags_lie_over_them(
    config: Path, flags: list[str], expected: tuple[str, str, float]
) -> None:
    assert spoken(settings(config, *flags)) == expected


@pytest.mark.parametrize(
    ("flags", "kind", "said"),
    [
        (
            ["--persona", "pirat"],
            ConfigError,
            '--persona: dialogue.persona: there is no persona "pirat"; near are pirate',
        ),
        (
            ["--persona", "ghost"],
            VoiceError,
            '{file}: dialogue.personas.ghost.voice: there is no voice "germn"; near',
        ),
        (["--resume"], SessionError, "there is no session in"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    config: Path, flags: list[str], kind: type[VoxtermError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        settings(config, *flags)
    assert str(caught.value).startswith(said.format(file=config))
    assert str(caught.value).isprintable()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            '[profiles]\nbad = ["whispr"]\n',
            'profiles.bad: there is no engine "whispr"; did you mean "whisper"?',
        ),
        ('[profiles]\nauto = ["voxtral", "kokoro"]\n', 'profiles.auto: the name "auto" is reserved'),
        ('[engines.openai]\nsecond_choice = "x"\n', 'engines.openai.second_choice: "x" cannot'),
        ('[dialogue]\nlanguage = "klingon"\n', 'dialogue.language: there is no language "klingon"'),
        ('[dialogue]\npersona = "pirat"\n', 'dialogue.persona: there is no persona "pirat"'),
        (
            '[dialogue.personas.x]\nlanguage = "xx"\n',
            'dialogue.personas.x.language: there is no language "xx"',
        ),
    ],
)
def test_what_cannot_be_meant_is_said_with_the_file_that_says_it(
    tmp_path: Path, config: Path, toml: str, said: str
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        settings(file)
    assert str(caught.value).startswith(f"{file}: {said}")


def test_the_profile_is_looked_for_where_it_is_named(config: Path) -> None:
    with pytest.raises(ConfigError, match=r'^--profile: profile: there is no profile "embeded"'):
        settings(config, "--profile", "embeded")
    with pytest.raises(ConfigError, match=r'^--set: profile: there is no profile "embeded"'):
        settings(config, "--set", "profile=embeded")


def test_a_persona_with_nothing_of_its_own_can_be_chosen(tmp_path: Path, config: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[dialogue.personas.plain]\n", encoding="utf-8")
    assert spoken(settings(file, "--persona", "plain")) == ("plain", "auto", 1.0)


def stored(tmp_path: Path, persona: str) -> str:
    store = Store(tmp_path / "state")
    session = store.new_session("embedded", {}, "english", persona=persona)
    session.add_turn(TurnRecord(started_at=utc_now(), transcript="hello", reply="hi", heard_reply="hi"))
    session.close()
    store.close()
    return session.id


def test_a_session_is_resumed_with_its_own_persona(config: Path, tmp_path: Path) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write('[dialogue]\npersona = "tutor"\n')
    first, second = stored(tmp_path, "pirate"), stored(tmp_path, "")
    assert settings(config).dialogue.persona == "tutor"
    assert spoken(settings(config, "--resume", first)) == ("pirate", "german", 1.5)
    assert spoken(settings(config, "--resume", second)) == ("", "scottish", 1.0)
    assert settings(config, "--resume").dialogue.persona == ""
    assert settings(config, "--resume", first, "--persona", "expert").dialogue.persona == "expert"
    assert settings(config, "--resume", first, "--persona", "").dialogue.persona == ""


def test_a_session_whose_persona_is_no_more_says_so(config: Path, tmp_path: Path) -> None:
    old = stored(tmp_path, "guide")
    with pytest.raises(SessionError) as caught:
        settings(config, "--resume", old)
    assert str(caught.value) == (
        f'session {old} goes on with the persona "guide", and there is none; '
        'choose another with --persona NAME, or none with --persona ""'
    )
    assert settings(config, "--resume", old, "--persona", "").dialogue.persona == ""


def test_the_cast_knows_all_personas_with_voices_that_can_be_had(config: Path) -> None:
    """One whose voice does not exist says so when it is chosen; the others work."""
    cast = cast_of(settings(config, "--profile", "embedded", "--persona", "pirate"))
    assert cast.personality is cast.personalities["pirate"]
    assert cast.voice.name == "german"
    assert list(cast.personalities)[:2] == ["", "tutor"]
    names = {voice.name for voice in cast.voices}
    assert all(one.voice in names for one in cast.personalities.values() if one.voice)
    ghost = cast.personalities["ghost"]
    assert ghost.voice == ""
    assert ghost.trouble is not None
    assert ghost.trouble.what == f'{config}: dialogue.personas.ghost.voice: there is no voice "germn"'
    assert "german" in ghost.trouble.remedy
    assert [one.name for one in cast.personalities.values() if one.trouble] == ["ghost"]


def test_a_shipped_persona_with_a_voice_of_another_engine_is_no_trouble(config: Path) -> None:
    """`talk` ended with 1, as after an error."""
    cast = cast_of(settings(config, "--profile", "embedded", "--persona", "storyteller"))
    assert cast.voice.name == cast.personality.voice == "english"
    assert not cast.notes
    assert cast_of(settings(config, "--profile", "embedded", "--voice", "leo")).notes


def test_the_voice_of_another_engine_gives_way_to_one_of_its_language() -> None:
    """The shipped storyteller has a voice of Orpheus."""
    personas = {"teller": PersonaSettings(voice="leo"), "any": PersonaSettings(voice="auto")}
    plain = Settings(speech=SpeechSettings(voice="german"))
    dialogue = plain.dialogue.model_copy(update={"personas": personas})
    wanted = plain.model_copy(update={"dialogue": dialogue})
    catalogue = Catalogue.read(voices_folder())
    by_espeak = personalities_of(wanted, catalogue, "espeak")
    assert catalogue.find(by_espeak["teller"].voice).engine == "espeak"
    assert catalogue.find(by_espeak["teller"].voice).language.startswith("en")
    assert by_espeak["teller"].trouble is None
    assert catalogue.find(by_espeak["any"].voice).engine == "espeak"
    assert personalities_of(wanted, catalogue, "orpheus")["teller"].voice == "leo"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_config_never_shows_a_key(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from voxterm.__main__ import main

    assert main(["config", "--set", "engines.openai.key_variable=hf_secret", *flags]) == 0
    out = capsys.readouterr().out
    assert "hf_secret" not in out
    assert "not shown" in out


def test_config_shows_them(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from voxterm.__main__ import main

    assert main(["config", "--json", "--config", str(config), "--persona", "pirate"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["settings"]["dialogue"]["persona"] == "pirate"
    assert document["settings"]["dialogue"]["personas"]["pirate"]["prompt"] == "You rob."
    assert document["origins"]["dialogue.persona"] == "--persona"
    assert document["origins"]["dialogue.personas.pirate.prompt"] == str(config)
    assert document["origins"]["dialogue.personas.tutor.prompt"] == "config.toml"
