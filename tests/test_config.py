from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voxterm.cli.parser import SETTING_FLAGS, parse, setting_flags
from voxterm.config import (
    NOT_SHOWN,
    Loaded,
    PersonaSettings,
    ScreenSettings,
    Settings,
    SpeechSettings,
    TurnSettings,
    describe,
    load_settings,
    shipped_file,
    user_file,
    without_secrets,
)
from voxterm.config_layers import KEYS_WITH_A_FLAG, flag_name, known_keys, values_of, variable_name
from voxterm.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = list(known_keys(Settings))
ALL_KEYS = [key for key, _ in values_of(Settings())]  # with those of open tables
PERSONAS = "dialogue.personas."
UNSET = [
    "engines.llm.temperature",
    "engines.llm.top_p",
    "engines.llm.top_k",
    "engines.llm.repetition_penalty",
    "engines.llm.seed",
    "engines.openai.temperature",
    "engines.openai.top_p",
    "engines.orpheus.seed",
    "engines.eliza.seed",
]  # by default


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without settings, so that those of whoever runs the tests do not count."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def load(
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    return load_settings(file, flags or {}, environ or {})


def refused(
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, flags, environ)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def without_personas(settings: Settings) -> Settings:
    """The shipped personas stand in the file alone."""
    dialogue = settings.dialogue.model_copy(update={"personas": {}})
    return settings.model_copy(update={"dialogue": dialogue})


def flat(table: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in table.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


class TestTheShippedFile:
    def test_it_holds_every_setting_with_its_default(self) -> None:
        """But for the personas, which stand in the file alone."""
        table = tomllib.loads(shipped_file().read_text("utf-8"))
        table["dialogue"].pop("personas")
        in_file = flat(table)
        in_classes = flat(Settings().model_dump(exclude_none=True))
        assert in_file == in_classes
        assert [type(value) for value in in_file.values()] == [type(value) for value in in_classes.values()]
        assert list(in_file) == list(
            in_classes
        )  # the same order, so that `voxterm config` reads like the file

    def test_a_setting_without_a_default_stands_there_as_a_comment(self) -> None:
        text = shipped_file().read_text("utf-8")
        unset = [key for key in KEYS if key not in flat(tomllib.loads(text))]
        assert unset == UNSET
        assert re.search(r"^\[engines\.eliza\]\n(#.*\n)*# seed = \d+$", text, re.MULTILINE)
        assert re.search(r"^\[engines\.orpheus\]\n([#\w].*\n)*# seed = \d+$", text, re.MULTILINE)

    def test_every_setting_is_commented(self) -> None:
        """Profiles are explained above the head of their table, the keys of a persona at the first one."""
        text = shipped_file().read_text("utf-8")
        explained = r"^\[(profiles|dialogue\.personas\.(?!tutor).+)\]\n(.+\n)+"
        lines = re.sub(explained, "", text, flags=re.MULTILINE).splitlines()
        for above, line in pairwise(lines):
            if re.match(r"\w+ = ", line) and not line.startswith("loudspeaker"):
                assert above.startswith("# "), line

    def test_it_is_found_beside_the_package_or_in_it(self) -> None:
        assert shipped_file().is_file()


class TestDefaults:
    def test_are_those_that_are_documented(self) -> None:
        settings = Settings()
        assert settings.profile == "auto"
        assert settings.audio.microphone == "default"
        assert (settings.turns.mode, settings.turns.vad) == ("open", "silero")
        assert (settings.turns.pause_ms, settings.turns.end_silence_ms) == (96, 700)
        assert settings.sessions.keep
        assert not settings.sessions.keep_audio
        assert settings.engines.eliza.seed is None

    def test_read_no_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """BaseSettings would take PROFILE from the environment by itself."""
        monkeypatch.setenv("PROFILE", "embedded")
        monkeypatch.setenv("VOXTERM_PROFILE", "embedded")
        assert Settings().profile == "auto"

    def test_cannot_be_changed(self) -> None:
        settings = Settings()
        with pytest.raises(ValidationError):
            settings.turns.pause_ms = 300
        with pytest.raises(ValidationError):
            settings.profile = "embedded"

    @pytest.mark.parametrize("section", ["audio", "turns", "speech", "engines", "engines.webrtc_vad"])
    def test_unknown_keys_are_refused_everywhere(self, section: str) -> None:
        model = type(attrgetter(section)(Settings()))
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            model(no_such_key=1)

    def test_classes_refuse_what_the_file_may_not_say(self) -> None:
        with pytest.raises(ValidationError):
            TurnSettings(end_silence_ms=200, pause_ms=200)
        with pytest.raises(ValidationError):
            TurnSettings(speech_threshold=0.3)
        with pytest.raises(ValidationError):
            SpeechSettings(speed=math.nan)
        with pytest.raises(ValidationError):
            ScreenSettings(theme="")

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_silence_is_never_above_speech(self, speech: float, silence: float) -> None:
        if silence > speech:
            with pytest.raises(ValidationError):
                TurnSettings(speech_threshold=speech, silence_threshold=silence)
        else:
            assert (
                TurnSettings(speech_threshold=speech, silence_threshold=silence).silence_threshold == silence
            )


class TestLayers:
    def test_without_any_the_defaults_come_from_the_shipped_file(self) -> None:
        loaded = load()
        assert without_personas(loaded.settings) == Settings()
        origins = {key: origin for key, origin in loaded.origins.items() if not key.startswith(PERSONAS)}
        assert origins == dict.fromkeys(ALL_KEYS, "config.toml") | dict.fromkeys(UNSET, "default")

    def test_each_one_wins_over_those_before(self, tmp_path: Path, home: Path) -> None:
        own = written(
            home / "voxterm",
            "[turns]\npause_ms = 110\nbarge_in_ms = 110\nmin_speech_ms = 110\npre_roll_ms = 310\n",
        )
        extra = written(
            tmp_path / "extra", "[turns]\npause_ms = 120\nbarge_in_ms = 120\nmin_speech_ms = 120\n"
        )
        environ = {"VOXTERM_TURNS__PAUSE_MS": "130", "VOXTERM_TURNS__BARGE_IN_MS": "130"}
        loaded = load(extra, {"turns.pause_ms": 140}, environ)
        turns, origins = loaded.settings.turns, loaded.origins
        assert (turns.pause_ms, origins["turns.pause_ms"]) == (140, "--set")
        assert (turns.barge_in_ms, origins["turns.barge_in_ms"]) == (130, "VOXTERM_TURNS__BARGE_IN_MS")
        assert (turns.min_speech_ms, origins["turns.min_speech_ms"]) == (120, str(extra))
        assert (turns.pre_roll_ms, origins["turns.pre_roll_ms"]) == (310, str(own))
        assert (turns.max_turn_s, origins["turns.max_turn_s"]) == (120, "config.toml")

    def test_the_users_file_lies_where_xdg_says(self, tmp_path: Path) -> None:
        written(tmp_path / "elsewhere" / "voxterm", 'profile = "embedded"\n')
        environ = {"XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
        assert load(environ=environ).settings.profile == "embedded"

    def test_a_relative_xdg_folder_is_no_folder(self, home: Path) -> None:
        """The XDG specification: relative paths are to be ignored."""
        assert user_file({"XDG_CONFIG_HOME": "here"}) == home / "voxterm" / "config.toml"

    def test_every_setting_has_a_variable(self) -> None:
        loaded = load()
        """But for the entries of open tables, whose names nobody knows beforehand."""
        rows = [(key, value) for key, value, _ in describe(loaded) if key in KEYS]
        written_out = {variable_name(key): value for key, value in rows if value != "not set"}
        environ = {name: value.strip('"') for name, value in written_out.items()}
        environ |= {variable_name(key): "1" for key in UNSET}
        assert set(environ) == {variable_name(key) for key in KEYS}
        through_variables = load(environ=environ)
        origins = through_variables.origins
        assert {key: origins[key] for key in KEYS} == {key: variable_name(key) for key in KEYS}
        assert through_variables.settings.turns == loaded.settings.turns
        assert through_variables.settings.engines.eliza.seed == 1

    def test_a_text_from_a_variable_or_flag_becomes_what_the_key_takes(self) -> None:
        environ = {
            "VOXTERM_SESSIONS__KEEP": "false",
            "VOXTERM_SPEECH__SPEED": "1.5",
            "VOXTERM_AUDIO__MICROPHONE": "3",
            "VOXTERM_AUDIO__LOUDSPEAKER": "USB Audio",
            "VOXTERM_SPEECH__VOICE": "7",
        }
        settings = load(environ=environ, flags={"turns.pause_ms": "250"}).settings
        assert settings.sessions.keep is False
        assert settings.speech.speed == 1.5
        assert (settings.audio.microphone, settings.audio.loudspeaker) == (3, "USB Audio")
        assert settings.speech.voice == "7"
        assert settings.turns.pause_ms == 250

    def test_a_choice_among_numbers_is_taken_from_a_text(self) -> None:
        flags = {"engines.voxtral_realtime.delay_ms": "960", "engines.orpheus.first_chunk_frames": "1"}
        engines = load(flags=flags).settings.engines
        assert (engines.voxtral_realtime.delay_ms, engines.orpheus.first_chunk_frames) == (960, 1)
        wrong = refused(flags={"engines.voxtral_realtime.delay_ms": "961"})
        assert 'delay_ms is "961"; it takes 80 or 160' in wrong

    def test_a_device_number_in_quotes_is_a_name(self, tmp_path: Path) -> None:
        assert (
            load(written(tmp_path, '[audio]\nmicrophone = "3"\nloudspeaker = 3\n')).settings.audio.microphone
            == "3"
        )

    def test_a_flag_that_was_not_given_changes_nothing(self) -> None:
        assert load(flags={"speech.voice": None}).origins["speech.voice"] == "config.toml"

    def test_a_flag_of_its_own_is_named_in_full(self) -> None:
        """The command line and the settings must agree on which settings have a flag of their own."""
        assert set(SETTING_FLAGS.values()) == set(KEYS_WITH_A_FLAG)
        assert {flag_name(key) for key in SETTING_FLAGS.values()} == {f"--{name}" for name in SETTING_FLAGS}

    def test_other_variables_do_not_matter(self) -> None:
        loaded = load(environ={"PROFILE": "x", "VOX_PROFILE": "x", "XVOXTERM_PROFILE": "x"})
        assert without_personas(loaded.settings) == Settings()

    def test_a_whole_number_will_do_for_a_fraction(self, tmp_path: Path) -> None:
        assert load(written(tmp_path, "[speech]\nspeed = 2\n")).settings.speech.speed == 2.0


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("toml", "problem"),
        [
            ("[turns]\npause_ms = '200'", 'turns.pause_ms is "200"; it takes a whole number from 64 to 2000'),
            ("[turns]\npause_ms = true", "turns.pause_ms is true; it takes a whole number from 64 to 2000"),
            ("[turns]\npause_ms = 200.0", "turns.pause_ms is 200.0; it takes a whole number from 64 to 2000"),
            ("[turns]\npause_ms = 63", "turns.pause_ms is 63; it takes a whole number from 64 to 2000"),
            (
                "[turns]\npre_roll_ms = 299",
                "turns.pre_roll_ms is 299; it takes a whole number from 300 to 2000",
            ),
            ("[turns]\nmode = 'shut'", 'turns.mode is "shut"; it takes "open" or "push_to_talk"'),
            ("[turns]\nmode = []", 'turns.mode is a list; it takes "open" or "push_to_talk"'),
            ("[speech]\nspeed = nan", "speech.speed is nan; it takes a number from 0.5 to 2.0"),
            ("[speech]\nspeed = inf", "speech.speed is inf; it takes a number from 0.5 to 2.0"),
            ("[speech]\nspeed = true", "speech.speed is true; it takes a number from 0.5 to 2.0"),
            ("[speech]\nvoice = 1979-05-27", "speech.voice is 1979-05-27; it takes a text that is not empty"),
            ("[speech]\nvoice = ''", 'speech.voice is ""; it takes a text that is not empty'),
            ("[dialogue]\nsystem_prompt = 1", "dialogue.system_prompt is 1; it takes a text"),
            ("[sessions]\nkeep = 1", "sessions.keep is 1; it takes true or false"),
            ("[sessions]\nkeep = 'yes'", 'sessions.keep is "yes"; it takes true or false'),
            (
                "[audio]\nmicrophone = -1",
                "audio.microphone is -1; it takes a whole number of at least 0 or a text that is not empty",
            ),
            ("[engines.eliza]\nseed = 'a'", 'engines.eliza.seed is "a"; it takes a whole number'),
            ("profile = {a = 1}", "profile is a table; it takes a text that is not empty"),
            ("turns = 1", "turns is 1, but it is a section; write [turns] and its settings below it"),
            (
                "[[turns]]\npause_ms = 300",
                "turns is a list, but it is a section; write [turns] and its settings below it",
            ),
            ("[turns]\npause = 200", "turns.pause: there is no such setting; the nearest is turns.pause_ms"),
            ("voice = 'tara'", "voice: there is no such setting; the nearest is speech.voice"),
            ("[speach]\nvoice = 'tara'", "speach: there is no such setting; the nearest is speech"),
            (
                "[engines.openai]\napi_key = 'sk-1'",
                "engines.openai.api_key: there is no such setting; "
                "the nearest is engines.openai.key_variable",
            ),
            (
                "[engines.webrtc]\nmode = 1",
                "engines.webrtc: there is no such setting; the nearest is engines.webrtc_vad",
            ),
        ],
    )
    def test_in_a_file(self, tmp_path: Path, toml: str, problem: str) -> None:
        file = written(tmp_path, toml)
        assert refused(file) == f"{file}: {problem}"

    def test_in_the_users_file(self, home: Path) -> None:
        own = written(home / "voxterm", "[turns]\npause_ms = 1")
        assert refused().startswith(f"{own}: turns.pause_ms is 1;")

    @pytest.mark.parametrize(
        ("name", "text", "problem"),
        [
            (
                "VOXTERM_TURNS__PAUSE_MS",
                "soon",
                'turns.pause_ms is "soon"; it takes a whole number from 64 to 2000',
            ),
            ("VOXTERM_TURNS__PAUSE_MS", "", 'turns.pause_ms is ""; it takes a whole number from 64 to 2000'),
            ("VOXTERM_SPEECH__SPEED", "3", "speech.speed is"),
            ("VOXTERM_SPEECH__SPEED", "nan", "speech.speed is"),
            ("VOXTERM_SPEECH__VOICE", "", 'speech.voice is ""; it takes a text that is not empty'),
            ("VOXTERM_SESSIONS__KEEP", "maybe", 'sessions.keep is "maybe"; it takes true or false'),
            (
                "VOXTERM_TURNS__PAUSE",
                "200",
                "there is no such setting; the nearest is VOXTERM_TURNS__PAUSE_MS",
            ),
            (
                "VOXTERM_ENGINES__OPENAI__API_KEY",
                "sk-1",
                "there is no such setting; the nearest is VOXTERM_ENGINES__OPENAI__KEY_VARIABLE",
            ),
            ("VOXTERM_PROFIL", "auto", "there is no such setting; the nearest is VOXTERM_PROFILE"),
            (
                "VOXTERM_TURNS",
                '{"pause_ms": 300}',
                "there is no such setting; the nearest is VOXTERM_TURNS__",
            ),
            ("VOXTERM_profile", "auto", "there is no such setting; the nearest is VOXTERM_PROFILE"),
            ("VOXTERM_", "", "there is no such setting; the nearest is VOXTERM_"),
        ],
    )
    def test_in_a_variable(self, name: str, text: str, problem: str) -> None:
        assert refused(environ={name: text}).startswith(f"{name}: {problem}")

    def test_in_a_flag(self) -> None:
        assert refused(flags={"speech.speed": 5.0}).startswith(
            "--speed: speech.speed is 5.0; it takes a number"
        )
        assert refused(flags={"turns.pause_ms": "x"}).startswith(
            '--set: turns.pause_ms is "x"; it takes a whole'
        )
        problem = "there is no such setting; the nearest is"
        assert refused(flags={"speech.sped": 1.0}) == f"--set: speech.sped: {problem} speech.speed"

    def test_in_set_though_the_key_has_a_flag_of_its_own(self) -> None:
        flags = setting_flags(parse(["config", "--set", "speech.speed=9"]))
        assert refused(flags=flags).startswith('--set: speech.speed is "9"; it takes a number')
        flags = setting_flags(parse(["config", "--speed", "9"]))
        assert refused(flags=flags).startswith('--speed: speech.speed is "9"')
        flags = setting_flags(parse(["config", "--voice", "leo", "--set", "speech.voice=7"]))
        loaded = load(flags=flags)
        assert (loaded.settings.speech.voice, loaded.origins["speech.voice"]) == ("7", "--set")
        assert type(loaded.settings.speech.voice) is str

    def test_a_flag_for_a_section(self) -> None:
        """A section and a key in it, both as flags, must not meet in one table."""
        problem = "--set: turns: there is no such setting"
        assert refused(flags={"turns": "1", "turns.pause_ms": "300"}).startswith(problem)
        assert refused(flags={"turns.pause_ms": "300", "turns": "1"}).startswith(problem)
        assert refused(flags={"turns.pause_ms.x": "300"}).startswith(
            "--set: turns.pause_ms.x: there is no such"
        )
        assert refused(flags={"": ""}).startswith("--set: : there is no such setting")

    def test_even_where_a_later_layer_overrides_it(self, tmp_path: Path) -> None:
        file = written(tmp_path, "[speech]\nspeed = 9\n")
        assert refused(file, flags={"speech.speed": 1.0}).startswith(f"{file}: speech.speed is 9;")

    def test_two_settings_that_do_not_go_together(self, tmp_path: Path) -> None:
        """The one set last is to blame, and the other is named with its origin."""
        file = written(tmp_path, "[turns]\nspeech_threshold = 0.2\n")
        assert refused(file) == (
            f"{file}: turns.speech_threshold is 0.2 while turns.silence_threshold is 0.35 (config.toml); "
            "silence_threshold may not be above speech_threshold"
        )
        file = written(tmp_path, "[turns]\npause_ms = 200\n")
        assert refused(file, environ={"VOXTERM_TURNS__END_SILENCE_MS": "200"}) == (
            "VOXTERM_TURNS__END_SILENCE_MS: turns.end_silence_ms is 200 while turns.pause_ms is 200 "
            f"({file}); end_silence_ms must be more than pause_ms"
        )

    def test_two_settings_in_two_layers_are_judged_together(self, tmp_path: Path) -> None:
        """A pause above the default end of a turn is right when a later layer moves the end too."""
        file = written(tmp_path, "[turns]\npause_ms = 900\n")
        turns = load(file, {"turns.end_silence_ms": 1000}).settings.turns
        assert (turns.pause_ms, turns.end_silence_ms) == (900, 1000)

    def test_the_first_problem_is_always_the_same(self, tmp_path: Path) -> None:
        file = written(tmp_path, "[speech]\nspeed = 9\n[turns]\npause_ms = 1\n")
        environ = {"VOXTERM_Z": "1", "VOXTERM_A": "1"}
        assert "speech.speed" in refused(file, environ=environ)
        assert refused(environ=environ).startswith("VOXTERM_A:")

    def test_a_value_is_data(self, tmp_path: Path) -> None:
        """A terminal control sequence in a settings file must not reach the terminal."""
        message = refused(written(tmp_path, '[turns]\nmode = "\\u001b[31m\\n' + "x" * 500 + '"\n'))
        assert message.isprintable()
        assert len(message) < 250

    @given(
        st.sampled_from(KEYS),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.none())
        | st.just({}),
    )
    def test_any_value_is_taken_or_refused_in_one_line(self, key: str, value: object) -> None:
        message = "--taken"
        try:
            load(flags={key: value})
        except ConfigError as error:
            message = str(error)
        assert message.startswith("--")
        assert message.isprintable()


class TestFilesThatCannotBeRead:
    @pytest.mark.parametrize(
        ("toml", "line"),
        [
            ("profile = \n", 1),
            ("[turns]\npause_ms = 300\npause_ms = 300\n", 3),
            ("[turns]\nmode = '''\n\n", 3),
            ("a", 1),
        ],
    )
    def test_syntax(self, tmp_path: Path, toml: str, line: int) -> None:
        file = written(tmp_path, toml)
        assert refused(file).startswith(f"{file}, line {line}: this is not TOML: ")

    def test_missing(self, tmp_path: Path) -> None:
        assert refused(tmp_path / "no.toml").startswith(f"{tmp_path / 'no.toml'}: there is no such file")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert refused(tmp_path).startswith(f"{tmp_path}: is not a file")

    def test_not_text(self, tmp_path: Path) -> None:
        file = tmp_path / "binary.toml"
        file.write_bytes(b"a = '\xff'")
        assert refused(file).startswith(f"{file}: byte 5 is not UTF-8")

    def test_no_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Faked, because root may read everything."""
        file = written(tmp_path / "locked", "")

        def refuse(*args: object, **kwargs: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("voxterm.config_layers.TomlConfigSettingsSource", refuse)
        monkeypatch.setattr("voxterm.config.shipped_file", lambda: file)
        assert refused() == "config.toml: cannot be read: Permission denied; check its permissions"


class TestOpenTables:
    """Whose entries have names of their own."""

    def test_an_entry_is_added_and_the_others_stay(self, tmp_path: Path) -> None:
        file = tmp_path / "own.toml"
        file.write_text('[profiles]\nmine = ["pocketsphinx", "eliza", "espeak"]\n', encoding="utf-8")
        loaded = load(file)
        assert loaded.settings.profiles["mine"] == ["pocketsphinx", "eliza", "espeak"]
        assert {"voxtral-orpheus", "embedded"} < set(loaded.settings.profiles)
        assert loaded.origins["profiles.mine"] == str(file)
        row = ("profiles.mine", '["pocketsphinx", "eliza", "espeak"]', str(file))
        assert row in describe(loaded)

    @pytest.mark.parametrize(
        ("toml", "problem"),
        [
            ('[profiles]\nmine = "voxtral"', 'profiles.mine is "voxtral"; it takes a list of texts'),
            (
                '[profiles]\nmine = ["a", 1]',
                "profiles.mine: item 2 is 1; each takes a text that is not empty",
            ),
            ('[profiles]\nmine = [""]', 'profiles.mine: item 1 is ""; each takes a text that is not empty'),
            (
                "[personas.ada]\nvoice = 'leo'",
                "personas: there is no such setting; the nearest is dialogue.personas.ada",
            ),
            (
                "[persona.ada]\nvoice = 'leo'",
                "persona: there is no such setting; the nearest is dialogue.personas.ada",
            ),
            ("[profile]\nmine = []", "profile is a table; it takes a text that is not empty"),
            (
                "profiles = 3",
                "profiles is 3, but it is a section; write [profiles] and its settings below it",
            ),
            ('[profiles]\n"a.b" = []', 'profiles has an entry "a.b"; name it by letters, digits, - and _'),
            (
                "[dialogue.personas.ada]\nspeed = 9",
                "dialogue.personas.ada.speed is 9; it takes a number from 0.5 to 2.0",
            ),
            (
                "[dialogue.personas.ada]\nreply_length = 'brief'",
                'dialogue.personas.ada.reply_length is "brief"; it takes "short" or "medium" or "long"',
            ),
            (
                "[dialogue.personas.ada]\npromt = ''",
                "dialogue.personas.ada.promt: there is no such setting; the nearest is "
                "dialogue.personas.ada.prompt",
            ),
            (
                "[dialogue.personas]\nada = 'x'",
                'dialogue.personas.ada is "x", but it is a section; '
                "write [dialogue.personas.ada] and its settings below it",
            ),
            (
                "[dialogue]\nreply_length = 1",
                'dialogue.reply_length is 1; it takes "short" or "medium" or "long"',
            ),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, toml: str, problem: str) -> None:
        file = tmp_path / "own.toml"
        file.write_text(toml, encoding="utf-8")
        assert refused(file) == f"{file}: {problem}"

    def test_an_entry_that_is_a_table_is_changed_key_by_key(self, tmp_path: Path) -> None:
        file = written(
            tmp_path, '[dialogue.personas.tutor]\nvoice = "leo"\n[dialogue.personas.ada]\nspeed = 2\n'
        )
        loaded = load(file)
        personas, origins = loaded.settings.dialogue.personas, loaded.origins
        assert personas["tutor"].voice == "leo"
        assert personas["tutor"].prompt == load().settings.dialogue.personas["tutor"].prompt != ""
        assert (personas["ada"].prompt, personas["ada"].speed) == ("", 2.0)
        assert origins["dialogue.personas.tutor.voice"] == str(file)
        assert origins["dialogue.personas.tutor.prompt"] == "config.toml"
        assert origins["dialogue.personas.ada.prompt"] == "default", "what an entry leaves out"
        rows = describe(loaded)
        assert ("dialogue.personas.ada.speed", "2.0", str(file)) in rows
        assert ("dialogue.personas.ada.language", "not set", "default") in rows

    def test_an_entry_may_be_empty(self, tmp_path: Path, home: Path) -> None:
        """A persona with nothing of its own; and nothing is taken from one that another file has."""
        written(home / "voxterm", '[dialogue.personas.ada]\nvoice = "leo"\n[dialogue.personas.bob]\n')
        extra = "[dialogue.personas.ada]\n[dialogue.personas.bob]\nspeed = 2\n[dialogue.personas.eve]\n"
        loaded = load(written(tmp_path, extra))
        personas = loaded.settings.dialogue.personas
        assert (personas["ada"].voice, personas["bob"].speed) == ("leo", 2.0)
        assert personas["eve"] == PersonaSettings()
        assert loaded.origins["dialogue.personas.eve.voice"] == "default"

    def test_they_stand_in_files_alone(self) -> None:
        with pytest.raises(ConfigError, match="VOXTERM_PROFILES__MINE: there is no such setting"):
            load(environ={"VOXTERM_PROFILES__MINE": '["voxtral"]'})


class TestPlaces:
    def test_a_setting_is_called_by_its_place_and_its_key(self, tmp_path: Path) -> None:
        file = written(tmp_path, "[turns]\npause_ms = 300\n")
        settings = load(file, {"speech.voice": "leo"}).settings
        assert settings.place("turns.pause_ms") == f"{file}: turns.pause_ms"
        assert settings.place("speech.voice") == "--voice: speech.voice"
        assert settings.place("engines.eliza.seed") == "engines.eliza.seed", "nobody set it"
        assert (
            settings.model_copy(update={"profile": "embedded"}).place("turns.vad").startswith("config.toml")
        )
        assert Settings().place("turns.vad") == "turns.vad"


class TestSecrets:
    @pytest.mark.parametrize("key", ["sk-proj-1", "hf_abc", "a key", "AIza-B_c"])
    def test_a_key_in_the_place_of_its_variables_name_is_never_shown(self, key: str) -> None:
        loaded = load(flags={"engines.openai.key_variable": key})
        rows = {name: value for name, value, _ in describe(loaded)}
        assert rows["engines.openai.key_variable"] == f'"{NOT_SHOWN}"'
        assert without_secrets(loaded.settings).engines.openai.key_variable == NOT_SHOWN
        assert loaded.settings.engines.openai.key_variable == key, "the engine refuses it"

    def test_nor_is_a_password_in_the_address(self) -> None:
        loaded = load(flags={"engines.openai.base_url": "https://me:secret@example.org/v1"})
        assert "secret" not in str(describe(loaded))

    def test_all_else_is_shown(self) -> None:
        settings = load(flags={"engines.openai.key_variable": "MY_KEY_2"}).settings
        assert without_secrets(settings) == settings


class TestDescribe:
    def test_shows_every_setting_as_toml_with_its_origin(self) -> None:
        rows = describe(load(flags={"speech.voice": "german"}, environ={"VOXTERM_SESSIONS__KEEP": "0"}))
        assert [key for key, _, _ in rows if not key.startswith(PERSONAS)] == ALL_KEYS
        assert ("speech.voice", '"german"', "--voice") in rows
        assert ("sessions.keep", "false", "VOXTERM_SESSIONS__KEEP") in rows
        assert ("turns.speech_threshold", "0.5", "config.toml") in rows
        assert ("engines.eliza.seed", "not set", "default") in rows
