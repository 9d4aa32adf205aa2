"""What the sound test means for a person."""

from __future__ import annotations

from collections.abc import Iterator

from voxterm.doctor.finding import Finding
from voxterm.doctor.sound_test import TONE_DBFS, TONE_HZ, Heard

SILENT_DBFS = -90.0
"""Even the quietest microphone hisses louder, unless it is muted."""

QUIET_DBFS = -45.0
"""A peak below this was no speech."""

MANY_CLIPPED = 8
"""A few samples at full scale are a tap on the microphone."""

UNMUTE = "pactl set-source-mute @DEFAULT_SOURCE@ 0"
LOWER = "pactl set-source-volume @DEFAULT_SOURCE@ 60%"
ALSA_UNMUTE = "amixer set Capture cap"
ALSA_LOWER = "amixer set Capture 60%"
MAC_UNMUTE = "System Settings, Privacy & Security, Microphone: allow it to the terminal; then Sound, Input"
MAC_LOWER = "System Settings, Sound, Input: lower its volume"


def sound_findings(heard: Heard, *, has_pulse: bool, is_linux: bool) -> Iterator[Finding]:
    """The level, the tone and the echo."""
    unmute, lower = (UNMUTE, LOWER) if has_pulse else (ALSA_UNMUTE, ALSA_LOWER)
    if not is_linux:
        unmute, lower = MAC_UNMUTE, MAC_LOWER
    listened = not heard.microphone.what and heard.seconds > 0
    if listened:
        yield _level(heard, unmute, lower)
    else:
        yield _unusable("level", heard.microphone.what, heard.microphone.remedy)
    if heard.tone_played:
        yield _tone(heard)
    elif heard.loudspeaker.what or listened:
        yield _unusable("tone", heard.loudspeaker.what, heard.loudspeaker.remedy)
    if listened and heard.tone_played and heard.peak_dbfs > SILENT_DBFS:
        yield _echo(heard)


def _unusable(name: str, what: str, remedy: str) -> Finding:
    return Finding("sound", name, "bad", what or "the device delivers nothing", remedy or "voxterm devices")


def _level(heard: Heard, unmute: str, lower: str) -> Finding:
    where = f"{heard.microphone.name}, {heard.microphone.rate_hz} Hz, {heard.latency_ms:.0f} ms behind"
    losses = f", {heard.microphone.losses} blocks lost" if heard.microphone.losses else ""
    loud = f"{heard.rms_dbfs:.0f} dBFS, peak {heard.peak_dbfs:.0f}"
    if heard.peak_dbfs <= SILENT_DBFS:
        return Finding("sound", "level", "warn", f"silent ({loud}): is it muted? {where}{losses}", unmute)
    if heard.clipped > MANY_CLIPPED:
        what = f"too loud ({loud}, {heard.clipped} samples clipped); {where}{losses}"
        return Finding("sound", "level", "warn", what, lower)
    if losses:
        what = f"{loud}; {where}{losses}"
        return Finding("sound", "level", "warn", what, "close what keeps this computer busy, and look again")
    if heard.peak_dbfs < QUIET_DBFS:
        return Finding("sound", "level", "info", f"{loud}, nobody spoke; {where}")
    return Finding("sound", "level", "ok", f"{loud}; {where}")


def _tone(heard: Heard) -> Finding:
    side = heard.loudspeaker
    what = f"{TONE_HZ:.0f} Hz at {TONE_DBFS:.0f} dBFS on {side.name}, {side.rate_hz} Hz: did you hear it?"
    if side.losses:
        what += f" It broke off {side.losses} times"
        return Finding("sound", "tone", "warn", what, "close what keeps this computer busy, and look again")
    return Finding("sound", "tone", "ok", what)


def _echo(heard: Heard) -> Finding:
    if heard.tone_heard:
        return Finding("sound", "echo", "warn", "the microphone hears the loudspeaker", "use headphones")
    return Finding("sound", "echo", "ok", "the microphone does not hear the loudspeaker")
