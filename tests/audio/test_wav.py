"""Every kind of recording is read alike, and every broken one is refused in one line that helps."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from voxterm.audio.wav import DiskFullError, SoundWriter, read_audio, write_audio
from voxterm.engines.protocols import Samples
from voxterm.errors import AudioFileError, OutputError


def tone(rate_hz: int = 16000, seconds: float = 0.5) -> Samples:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "hello.wav"
    write_audio(path, tone(), 16000)
    return path


def refused(path: Path) -> str:
    with pytest.raises(AudioFileError) as caught:
        read_audio(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_any_bit_depth_is_read(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "depth.wav"
    soundfile.write(path, tone(), 16000, subtype=subtype)
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert np.allclose(samples, tone(), atol=0.02)


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "AU", "CAF"])
def test_lossless_containers_are_read_alike(tmp_path: Path, container: str) -> None:
    path = tmp_path / "recording"
    soundfile.write(path, tone(), 16000, format=container, subtype="PCM_16")
    assert np.allclose(read_audio(path), tone(), atol=1e-4)


@pytest.mark.parametrize("container", ["OGG", "MP3"])
def test_lossy_files_are_read(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"recording.{container.lower()}"
    soundfile.write(path, tone(seconds=2.0), 16000, format=container)
    samples = read_audio(path)
    assert abs(len(samples) - 32000) < 3000
    assert float(np.std(samples)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_a_big_endian_wav_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rifx.wav"
    soundfile.write(path, tone(), 16000, format="WAV", subtype="PCM_16", endian="BIG")
    assert path.read_bytes()[:4] == b"RIFX"
    assert np.allclose(read_audio(path), tone(), atol=1e-4)


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000, 96000])
def test_any_rate_comes_out_at_sixteen_kilohertz(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "rate.wav"
    soundfile.write(path, tone(rate_hz), rate_hz)
    samples = read_audio(path)
    assert abs(len(samples) - 8000) <= 1
    assert np.allclose(samples[200:-200], tone()[200 : len(samples) - 200], atol=0.01)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([tone(), np.zeros(8000, np.float32)], axis=1), 16000, subtype="FLOAT")
    assert np.allclose(read_audio(path), tone() / 2, atol=1e-6)


def test_a_float_wav_beyond_full_scale_is_clipped(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, 4 * tone(), 16000, subtype="FLOAT")
    assert float(np.abs(read_audio(path)).max()) == 1.0


def test_what_cannot_be_opened_is_refused(tmp_path: Path, recording: Path) -> None:
    assert "no file" in refused(tmp_path / "missing.wav")
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "folder" in refused(folder)
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert "is empty" in refused(empty)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_permissions_are_named(recording: Path) -> None:
    recording.chmod(0)
    assert "may not be read" in refused(recording)
    with pytest.raises(OutputError, match="may not be written"):
        SoundWriter(recording, 16000)


@pytest.mark.parametrize("content", [b"hello, this is a letter\n" * 50, b"RIFF\0\0", b"fLaC" + b"\0" * 80])
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.wav"
    path.write_bytes(content)
    assert "no sound" in refused(path)


def test_a_name_cannot_send_control_characters_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "bell\x1b[31m.wav"
    path.write_bytes(b"no sound at all")
    with pytest.raises(AudioFileError) as caught:
        read_audio(path)
    assert str(caught.value).isprintable()


def test_no_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    write_audio(path, np.zeros(0, np.float32), 16000)
    assert "no samples" in refused(path)


def test_a_cut_off_wav_says_what_it_promised_and_what_it_holds(recording: Path) -> None:
    """libsndfile reads what is left and says nothing."""
    recording.write_bytes(recording.read_bytes()[: 44 + 2 * 4000])
    message = refused(recording)
    assert "promises 0.50 s" in message
    assert "holds 0.25 s" in message


def test_a_wav_cut_off_in_its_header_is_refused(recording: Path) -> None:
    for held_bytes in (12, 20, 36, 43):
        recording.write_bytes(recording.read_bytes()[:held_bytes])
        assert "without sound" in refused(recording)


def test_a_cut_off_rf64_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(seconds=2.0), 16000, format="RF64")
    path.write_bytes(path.read_bytes()[:-16000])
    assert "cut off" in refused(path)


def test_a_cut_off_flac_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "speech.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32000).astype(np.float32)
    write_audio(path, noise, 16000)
    path.write_bytes(path.read_bytes()[:30000])
    refused(path)


@pytest.mark.parametrize("data_bytes", [0, 0x7FFFFFFF, 0x7FFFFFDB, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_headers_of_programs_that_pipe_are_read_to_the_end(recording: Path, data_bytes: int) -> None:
    content = bytearray(recording.read_bytes())
    struct.pack_into("<I", content, 40, data_bytes)
    struct.pack_into("<I", content, 4, min(data_bytes + 36, 0xFFFFFFFF))
    recording.write_bytes(content)
    assert np.allclose(read_audio(recording), tone(), atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "nan.wav"
    samples = tone()
    samples[100] = bad
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    assert "NaN" in refused(path)


@pytest.mark.parametrize("rate_hz", [0, 1, 3999, 384001, 2_000_000_000])
def test_absurd_rates_are_refused(recording: Path, rate_hz: int) -> None:
    content = bytearray(recording.read_bytes())
    struct.pack_into("<II", content, 24, rate_hz, min(2 * rate_hz, 0xFFFFFFFF))
    recording.write_bytes(content)
    refused(recording)


def test_chunks_before_the_data_are_passed_over(recording: Path) -> None:
    content = recording.read_bytes()
    note = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"  # an odd size, so a pad byte follows
    recording.write_bytes(content[:36] + note + content[36:])
    assert np.allclose(read_audio(recording), tone(), atol=1e-4)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_sixteen_bit_samples_survive_a_round_trip(tmp_path: Path, suffix: str) -> None:
    samples = (np.arange(-32768, 32768, 7) / 32768).astype(np.float32)
    write_audio(tmp_path / f"all{suffix}", samples, 16000)
    assert np.array_equal(read_audio(tmp_path / f"all{suffix}"), samples)


def test_loud_samples_are_clipped_and_never_wrap(tmp_path: Path) -> None:
    loud = np.array([1.0, 1.5, 100.0, np.inf, -1.0, -1.5, -100.0, -np.inf, np.nan], np.float32)
    write_audio(tmp_path / "loud.wav", loud, 16000)
    samples = read_audio(tmp_path / "loud.wav")
    assert (samples[:4] > 0.99).all()
    assert (samples[4:8] == -1.0).all()
    assert samples[8] == 0.0


def test_the_file_is_whole_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    with SoundWriter(path, 16000) as writer:
        for written in range(1, 4):
            writer.write(tone())
            assert len(read_audio(path)) == 8000 * written
    writer.close()


def test_a_killed_program_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "killed.wav"
    program = (
        "import os, signal, sys, numpy, pathlib\n"
        "from voxterm.audio.wav import SoundWriter\n"
        "writer = SoundWriter(pathlib.Path(sys.argv[1]), 16000)\n"
        "writer.write(numpy.full(8000, 0.25, numpy.float32))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert np.array_equal(read_audio(path), np.full(8000, 0.25, np.float32))


def test_two_channels_are_written_side_by_side(tmp_path: Path) -> None:
    both = np.stack([tone(), -tone()], axis=1)
    with SoundWriter(tmp_path / "both.wav", 16000, channels=2) as writer:
        writer.write(both)
    samples, _ = soundfile.read(tmp_path / "both.wav", dtype="float32")
    assert np.allclose(samples, both, atol=1e-4)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_where_nothing_can_be_written_is_said(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_audio(folder, tone(), 16000)
    with pytest.raises(OutputError, match="no folder") as caught:
        write_audio(tmp_path / "missing" / f"a{suffix}", tone(), 16000)
    assert caught.value.exit_code == 2
    with pytest.raises(OutputError, match=r"neither \.wav nor \.flac"):
        write_audio(tmp_path / "a.txt", tone(), 16000)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_no_fault_of_the_input(tmp_path: Path) -> None:
    full = tmp_path / "full.wav"
    full.symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match="no room") as caught, SoundWriter(full, 16000) as writer:
        writer.write(tone())
    assert caught.value.exit_code == 1


def test_a_failure_before_the_first_write_leaves_what_was_there(tmp_path: Path, recording: Path) -> None:
    """A wrong flag must not empty a file that was named as output."""
    before = recording.read_bytes()
    for path in (recording, tmp_path / "new.wav"):
        with pytest.raises(RuntimeError), SoundWriter(path, 16000):
            raise RuntimeError
    assert recording.read_bytes() == before
    assert not (tmp_path / "new.wav").exists()


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_what_is_written_in_pieces_is_read_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"pieces{suffix}"
    with SoundWriter(path, 16000) as writer:
        for piece in np.array_split(tone(), 7):
            writer.write(piece)
    assert soundfile.info(path).format == suffix[1:].upper()
    assert np.allclose(read_audio(path), tone(), atol=1e-4)


def test_nothing_written_is_an_empty_recording(tmp_path: Path) -> None:
    path = tmp_path / "nothing.wav"
    SoundWriter(path, 16000).close()
    assert soundfile.info(path).frames == 0


def test_a_name_that_promises_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"neither \.wav nor \.flac"):
        SoundWriter(tmp_path / "a.mp3", 16000)
    assert not (tmp_path / "a.mp3").exists()


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    """Reading a pipe that nobody writes would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    assert "no ordinary file" in refused(tmp_path / "pipe")
    assert "no ordinary file" in refused(Path("/dev/zero"))
