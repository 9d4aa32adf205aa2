"""All checks, one after the other: what one of them finds is what the next ones need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from voxterm.config import AudioSettings, Settings
from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import Finding, Findings, Group
from voxterm.doctor.gpus import TRIAL_S, Gpus, gpu_findings, read_gpus, torch_findings, torch_trouble
from voxterm.doctor.models import (
    Chosen,
    ProfileState,
    checkpoint_findings,
    profile_states,
    profile_that_runs,
    profile_wanted,
    remote_findings,
)
from voxterm.doctor.packages import (
    Packages,
    Torch,
    package_findings,
    python_findings,
    read_packages,
    read_torch,
)
from voxterm.doctor.program import sessions_findings, settings_finding
from voxterm.doctor.sound_devices import PortAudioState, device_findings, portaudio_findings, read_portaudio
from voxterm.doctor.sound_findings import sound_findings
from voxterm.doctor.sound_server import (
    Servers,
    State,
    card_findings,
    read_servers,
    server_findings,
    ssh_findings,
)
from voxterm.doctor.sound_test import TEST_S, Heard, read_sound
from voxterm.doctor.terminal import terminal_findings, terminal_size
from voxterm.engines import registry
from voxterm.errors import VoxtermError
from voxterm.plan import AUTO, Machine, Wishes, this_machine

SERVER_S = 15.0
"""A server may be slow to answer; its own settings say how slow."""

_NO_SERVERS = Servers((), State.ABSENT)


@dataclass(frozen=True, slots=True)
class Report:
    """The page: which profile voxterm would run with now, and all findings."""

    profile: str
    findings: tuple[Finding, ...]
    is_profile_known: bool = True  # what was asked for by name is there at all

    @property
    def can_run(self) -> bool:
        return not any(finding.blocks for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked at, and how. The functions are the real ones unless a test gives its own."""

    settings: Settings
    wishes: Callable[[Settings], Wishes]
    config_file: Path | None = None
    settings_error: VoxtermError | None = None  # the settings are then the defaults
    voice_problems: Sequence[VoxtermError] = ()  # files of voices that are broken
    with_sound: bool = True
    before_sound: Callable[[], None] = lambda: None
    """Called when the tone is about to sound."""
    machine: Callable[[Facts], Machine] = lambda facts: this_machine(facts.environ)
    gpus: Callable[[Facts], Gpus] = lambda facts: read_gpus(facts.environ, facts.process_id)
    packages: Callable[[], Packages] = read_packages
    torch: Callable[[], Torch | None] = read_torch
    terminal: Callable[[], tuple[int, int] | None] = terminal_size


@dataclass(slots=True)
class _Examination:
    asked: Asked
    facts: Facts
    findings: Findings = field(default_factory=Findings)
    chosen: Chosen = field(init=False)
    has_wishes: bool = field(init=False)  # else what is wrong with the profiles was said

    @property
    def is_profile_known(self) -> bool:
        name = self.chosen.profile
        return not self.has_wishes or name == AUTO or name in self.chosen.wishes.profiles

    def __post_init__(self) -> None:
        settings = self.asked.settings
        wishes = self.findings.look("models", "profiles", lambda: self.asked.wishes(settings), None)
        self.has_wishes = wishes is not None
        self.chosen = Chosen(settings.profile, wishes or Wishes())

    def add(
        self, group: Group, name: str, check: Callable[[], Iterable[Finding]], limit_s: float = 8.0
    ) -> None:
        """What a check finds."""
        self.findings.found.extend(self.findings.look(group, name, lambda: list(check()), [], limit_s))

    def program(self) -> Packages:
        asked, facts = self.asked, self.facts
        self.add("program", "Python", python_findings)
        unknown = Packages(None, None)
        packages = self.findings.look("program", "packages", asked.packages, unknown)
        needs_models = self.chosen.needs_models
        self.add("program", "packages", lambda: package_findings(packages, needs_models=needs_models))
        self.add(
            "program", "settings", lambda: [settings_finding(facts, asked.config_file, asked.settings_error)]
        )
        self.add("program", "voices", lambda: map(_voice_finding, asked.voice_problems))
        self.add("program", "sessions", lambda: sessions_findings(asked.settings, facts))
        return packages

    def models(self, packages: Packages) -> str:
        """The GPU, the profiles, their checkpoints; the profile that runs."""
        asked, facts, chosen = self.asked, self.facts, self.chosen
        gpus = self.findings.look("gpu", "GPU", lambda: asked.gpus(facts), Gpus(()))
        self.add("gpu", "GPU", lambda: gpu_findings(gpus, facts))
        torch = self.findings.look("gpu", "PyTorch", asked.torch, None)
        needs = chosen.needs_models
        self.add(
            "gpu", "PyTorch", lambda: torch_findings(torch, gpus, facts, needs_models=needs), TRIAL_S + 1.0
        )
        trouble = torch_trouble(torch, gpus) if torch else None
        machine = self.findings.look("models", "memory", lambda: asked.machine(facts), Machine(None))

        def look_at_profiles() -> list[ProfileState]:
            return profile_states(chosen, machine, facts.environ, torch=trouble)

        states: list[ProfileState] = []
        if self.has_wishes and (self.is_profile_known or asked.settings_error is None):
            states = self.findings.look("models", "profile", look_at_profiles, [])
        self.findings.found.extend(state.finding for state in states)
        for name in chosen.servers:
            build = partial(registry.build, name, asked.settings.engines, {})
            self.add("models", name, partial(remote_findings, chosen, name, build), SERVER_S)
        wanted = profile_wanted(states)
        self.add(
            "models",
            "checkpoints",
            lambda: checkpoint_findings(
                chosen, facts.environ, wanted=wanted, found=[state.outlook for state in states]
            ),
        )
        return profile_that_runs(chosen.profile, states)

    def sound(self) -> None:
        facts, audio = self.facts, self.asked.settings.audio
        state = self.findings.look("sound", "PortAudio", lambda: read_portaudio(facts), PortAudioState())
        servers = _NO_SERVERS
        if facts.is_linux:
            servers = self.findings.look("sound", "PulseAudio", lambda: read_servers(facts), servers)
        self.add("sound", "PortAudio", lambda: portaudio_findings(state, servers, facts))
        if state.devices:
            self.add("sound", "devices", lambda: device_findings(audio, state.devices))
        if facts.is_linux:
            self.add("sound", "PulseAudio", lambda: server_findings(servers, facts))
            self.add("sound", "/dev/snd", lambda: card_findings(servers, facts))
        self.add("sound", "SSH", lambda: ssh_findings(servers, facts))
        if self.asked.with_sound and state.devices:
            self._listen(audio, servers)

    def _listen(self, audio: AudioSettings, servers: Servers) -> None:
        facts = self.facts
        self.asked.before_sound()
        heard = self.findings.look("sound", "test", lambda: read_sound(audio, facts), Heard(), TEST_S + 1.0)
        self.add(
            "sound",
            "test",
            lambda: sound_findings(heard, has_pulse=servers.pulse_answers, is_linux=facts.is_linux),
        )


def _voice_finding(problem: VoxtermError) -> Finding:
    return Finding("program", "voices", "warn", problem.what, problem.remedy)


def examine(asked: Asked, facts: Facts) -> Report:
    """Look at everything; a few seconds, and five more with sound. Never raises."""
    examination = _Examination(asked, facts)
    packages = examination.program()
    profile = examination.models(packages)
    examination.sound()
    size = asked.terminal
    examination.add("terminal", "terminal", lambda: terminal_findings(facts, size()))
    return Report(profile, tuple(examination.findings.found), examination.is_profile_known)
