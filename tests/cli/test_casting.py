"""Who plays: the voices among which a person can choose while they talk."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from voxterm.cli.casting import cast_of, casting_of, checkpoints_of, wishes_of
from voxterm.cli.say import SPEAKING
from voxterm.cli.transcribe import hearing
from voxterm.config import DialogueSettings, PersonaSettings, Settings, SpeechSettings, TurnSettings
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.declared.whisper import WhisperSettings
from voxterm.errors import CheckpointError, EngineLoadError
from voxterm.gpu import GB, Ram
from voxterm.plan import Machine, imagined_machine, plan_for, playing
from voxterm.voices import Catalogue, voices_folder


def test_a_cast_knows_every_voice_of_the_engine_that_speaks() -> None:
    cast = cast_of(Settings(profile="embedded"))
    assert cast.voice in cast.voices
    assert cast.voices == Catalogue.read(voices_folder()).for_engine("espeak")
    assert len(cast.voices) > 1
    assert {voice.engine for voice in cast.voices} == {"espeak"}


def test_the_turn_detector_is_the_choice_of_the_settings() -> None:
    detector = cast_of(Settings(profile="embedded")).detector
    assert detector is not None
    assert detector.name == "smart turn"
    without = Settings(profile="embedded", turns=TurnSettings(detector="none"))
    assert cast_of(without).detector is None


def test_one_broken_voice_takes_no_profile_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these would have: what is planned asks for the first voice of every engine."""
    folder = tmp_path / "voices"
    shutil.copytree(voices_folder(), folder)
    for file in ("orpheus-en-tara.toml", "kokoro.toml", "espeak.toml"):
        text = (folder / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace("description", "descripton", 1), encoding="utf-8")
    monkeypatch.setattr("voxterm.cli.casting.voices_folder", lambda: folder)
    cast = cast_of(Settings(profile="embedded"))
    assert [problem.what.rpartition("/")[2].partition(",")[0] for problem in cast.problems] == [
        "espeak.toml",
        "kokoro.toml",
        "orpheus-en-tara.toml",
    ]
    assert cast.voice.engine == "espeak"
    assert any("speaks in its place" in note for note in cast.notes)
    assert wishes_of(Settings()).checkpoints["orpheus"].startswith("canopylabs/")


@pytest.mark.parametrize(
    ("machine", "wanted"),
    [
        (imagined_machine(80 * GB), ["Voxtral-Mini-3B-2507", "orpheus-3b-0.1-ft", "snac_24khz"]),
        (Machine(None, "there is no GPU", Ram(8 * GB, 8 * GB, 0), 10e9), ["Kokoro-82M"]),
        (Machine(None, "there is no GPU", Ram(GB, GB, 0), 10e9), []),
    ],
    ids=["a GPU", "a CPU", "too little"],
)
def test_for_auto_only_what_would_be_loaded_here_is_fetched(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, wanted: list[str]
) -> None:
    """Without a GPU 16 GB would lie there for nothing."""
    monkeypatch.setattr("voxterm.plan.profiles.this_machine", lambda environ: machine)
    assert [place.rpartition("/")[2] for place in checkpoints_of("auto", Settings())] == wanted
    assert len(checkpoints_of("voxtral-orpheus", Settings())) == 3


def own_profile(*engines: str, second_choice: str = "") -> Settings:
    server = OpenAiSettings(base_url="http://127.0.0.1:9/v1", second_choice=second_choice)
    return Settings(profile="mine", profiles={"mine": list(engines)}, engines=EngineSettings(openai=server))


def test_a_second_choice_without_room_is_the_embedded_one() -> None:
    """It was left out, so that with the server away each turn ended in an error."""
    wishes = wishes_of(own_profile("pocketsphinx", "openai", "espeak", second_choice="llm"))
    small = Machine(None, "there is no GPU", Ram(3 * GB, 3 * GB, 0), 10e9)
    plan = plan_for("mine", wishes, {"HF_HOME": "/nonexistent"}, small)
    assert playing(plan, wishes).second_choices == ("eliza",)


def test_the_packages_of_a_second_choice_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {"llm": ("jinja2>=3.1.6",)}
    settings = own_profile("pocketsphinx", "openai", "espeak", second_choice="llm")
    wishes = replace(wishes_of(settings), lacking=lacking)
    monkeypatch.setattr("voxterm.cli.casting.wishes_of", lambda settings: wishes)
    with pytest.raises(EngineLoadError, match="LLM needs jinja2"):
        cast_of(settings)


def test_an_engine_whose_packages_are_too_old_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = own_profile("voxtral_realtime", "eliza", "espeak")
    old = {"voxtral_realtime": ("transformers>=5.2 (4.57.1 is installed)",)}
    wishes = replace(wishes_of(settings), lacking=old)
    monkeypatch.setattr("voxterm.cli.casting.wishes_of", lambda settings: wishes)
    casting = casting_of(settings)
    needs = "Voxtral Realtime needs transformers>=5.2 (4.57.1 is installed); Whisper takes its place"
    assert casting.notes == (needs,)
    assert "voxtral_realtime" not in casting.profile.engines


def test_whisper_needs_what_its_back_end_needs(tmp_path: Path) -> None:
    """A checkpoint for CTranslate2 is none for torch, and the other way round."""
    (tmp_path / "config.json").write_text('{"lang_ids": [50259]}')
    (tmp_path / "model.bin").write_bytes(b"0123456789")
    states = {}
    for backend in ("transformers", "faster_whisper"):
        whisper = WhisperSettings(checkpoint=str(tmp_path), backend=backend)
        settings = Settings(
            profiles={"mine": ["whisper", "eliza", "espeak"]}, engines=EngineSettings(whisper=whisper)
        )
        plan = plan_for("mine", wishes_of(settings), {}, imagined_machine(80 * GB))
        states[backend] = bool(plan.missing)
    assert states == {"transformers": True, "faster_whisper": False}


def test_a_persona_hides_no_note_about_a_voice_that_was_asked_for() -> None:
    asked = Settings(profile="embedded", speech=SpeechSettings(voice="tara"))
    personas = {"teller": PersonaSettings(prompt="You tell.", voice="leo")}
    dialogue = DialogueSettings(persona="teller", personas=personas)
    for settings in (asked, asked.model_copy(update={"dialogue": dialogue})):
        assert any('the voice "tara"' in note for note in cast_of(settings).notes)


def test_to_transcribe_only_what_hears_is_needed() -> None:
    """It asked a server that was away, and loaded a language model for nothing."""
    cast = cast_of(own_profile("pocketsphinx", "openai", "espeak"))
    assert hearing(cast.understanding).name == "pocketsphinx"


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large GPU, and no checkpoint."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr("voxterm.plan.profiles.this_machine", lambda environ: imagined_machine(80 * GB))
    monkeypatch.setattr("voxterm.engines.declared.declaration.Declaration.lacking", lambda self: ())


@pytest.mark.usefixtures("nothing_here")
def test_all_that_is_missing_is_said_before_anything_is_loaded() -> None:
    """Whichever engine failed first was named, now one and now another."""
    with pytest.raises(CheckpointError) as caught:
        cast_of(Settings(profile="whisper-llm-kokoro"))
    assert str(caught.value) == (
        "the checkpoints openai/whisper-large-v3-turbo, Qwen/Qwen3-4B-Instruct-2507 and hexgrad/Kokoro-82M "
        "are not on this machine; run `voxterm fetch whisper-llm-kokoro`"
    )
    assert cast_of(Settings(profile="auto")).profile == "embedded"


@pytest.mark.usefixtures("nothing_here")
def test_to_speak_only_the_synthesizer_counts() -> None:
    """Whisper and an LLM were warned of, although nothing was to be heard or answered."""
    with pytest.raises(CheckpointError) as caught:
        cast_of(Settings(profile="whisper-llm-kokoro"), SPEAKING)
    assert str(caught.value) == (
        "the checkpoint hexgrad/Kokoro-82M is not on this machine; run `voxterm fetch hexgrad/Kokoro-82M`"
    )
    casting = casting_of(Settings(profile="whisper-llm-kokoro"), SPEAKING)
    assert casting.profile.engines == ("pocketsphinx", "eliza", "kokoro")
    assert casting.plan.gives_up == ()
    for profile in ("auto", "embedded"):
        assert cast_of(Settings(profile=profile), SPEAKING).synthesizer.name == "espeak"


def test_a_checkpoint_of_the_settings_is_told_by_its_setting() -> None:
    llm = LlmSettings(checkpoint="/nope")
    wishes = wishes_of(Settings(engines=EngineSettings(llm=llm)))
    assert wishes.written["llm"] == "engines.llm.checkpoint"
    assert wishes.written["snac"] == "engines.orpheus.codec"
    assert "orpheus" not in wishes.written, "it is the voice's"


def test_a_synthesizer_by_name_without_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Machine(None, "there is no GPU", Ram(GB, GB, 0), 10e9)
    monkeypatch.setattr("voxterm.plan.profiles.this_machine", lambda environ: nothing)
    monkeypatch.setattr("voxterm.engines.declared.declaration.Declaration.lacking", lambda self: ())
    cast = cast_of(Settings(profile="whisper-llm-kokoro"), SPEAKING)
    assert cast.synthesizer.name == "espeak"
    assert [note.partition(",")[0] for note in cast.notes] == ["Kokoro: eSpeak NG speaks in its place"]
