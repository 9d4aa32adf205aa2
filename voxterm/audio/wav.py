"""Sound files, read whole as float32 mono and written as 16-bit PCM.

WAV FLAC OGG MP3 and whatever else libsndfile knows can be read. libsndfile silently takes what a cut-off WAV
still holds, so the chunks of a WAV are checked here first.
"""

from __future__ import annotations

import errno
import io
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from voxterm.audio.resample import resample
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.errors import AudioFileError, OutputError

_LOWEST_RATE_HZ = 4_000
_HIGHEST_RATE_HZ = 384_000
_UNKNOWN_BYTES = 0xFFFF_FFFF  # what a WAV header says where 32 bits do not suffice
_HEADER_BYTES = 44
_READ_FRAMES = 65_536
_GIVE_A_RECORDING = "give a WAV, FLAC, OGG or MP3 recording"


class DiskFullError(OutputError):
    """There was no room left to write: no fault of what the person asked for."""

    exit_code = 1


def read_audio(path: Path, rate_hz: int = HEARING_RATE_HZ) -> Samples:
    """The whole recording as float32 mono (N,) in [−1, 1] at `rate_hz`; several channels are averaged.

    Raises:
        AudioFileError: it is missing, no recording, broken, cut off, empty, or of an impossible rate.
    """
    _check_readable(path)
    chunks = _check_wav(path)
    try:
        with soundfile.SoundFile(path if chunks is None else _with_size(path, chunks)) as file:
            own_rate_hz: int = file.samplerate
            _check_rate(path, own_rate_hz)
            samples = _read_mono(path, file)
    except (soundfile.LibsndfileError, OSError) as error:
        reason = getattr(error, "error_string", None) or error
        raise AudioFileError(
            f"{path} holds no sound that can be read ({reason})", _GIVE_A_RECORDING
        ) from None
    if len(samples) == 0:
        raise AudioFileError(f"{path} holds no samples", _GIVE_A_RECORDING)
    if not np.isfinite(samples).all():
        raise AudioFileError(f"{path} holds samples that are no numbers (NaN or infinite)", "record it again")
    return np.clip(resample(samples, own_rate_hz, rate_hz), -1.0, 1.0)


def write_audio(path: Path, samples: Samples, rate_hz: int) -> None:
    """Write samples (N,) as 16-bit WAV or FLAC, by the file's suffix.

    Raises:
        OutputError: another suffix, or the file cannot be written there.
    """
    suffix = path.suffix.lower()
    if suffix not in {".wav", ".flac"}:
        raise OutputError(f"{path} is neither .wav nor .flac", "name the file with one of these endings")
    if suffix == ".wav":
        with SoundWriter(path, rate_hz) as writer:
            writer.write(samples)
        return
    encoded = io.BytesIO()
    soundfile.write(encoded, _pcm(samples), rate_hz, format="FLAC", subtype="PCM_16")
    try:
        path.write_bytes(encoded.getvalue())
    except OSError as error:
        raise cannot_write(path, error) from None


class SoundWriter:
    """A 16-bit file: FLAC where its name ends so, else WAV, which is whole after every write, should the
    program be killed then.

    What stood there is overwritten by the first write, or by `close`; left by an exception before that, it
    stays as it was.

    Raises:
        OutputError: the file cannot be written there; DiskFullError where there is no room left.
    """

    def __init__(self, path: Path, rate_hz: int, channels: int = 1) -> None:
        self._path = path
        self._rate_hz = rate_hz
        self._channels = channels
        self._data_bytes = 0
        self._file: BinaryIO | None = None
        self._encoder: soundfile.SoundFile | None = None
        self._closed = False
        self._is_new = not path.exists()
        self._is_flac = path.suffix.lower() == ".flac"
        if path.suffix.lower() not in {".wav", ".wave", ".flac", ""}:
            raise OutputError(f"{path} is neither .wav nor .flac", "name the file with one of these endings")
        try:
            path.open("ab").close()
        except OSError as error:
            raise cannot_write(path, error) from None

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append samples (N,) or (N, channels). What lies outside [−1, 1] is clipped, NaN becomes silence."""
        pcm = _pcm(samples)
        if self._is_flac:
            self._encode(pcm)
        else:
            self._put(pcm.astype("<i2").tobytes())

    def close(self) -> None:
        """The file is complete, even if nothing was written. May be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self.write(np.zeros((0, self._channels), np.float32))
        finally:
            self._release()

    def discard(self) -> None:
        """Stop here: where nothing was written, nothing has happened."""
        self._closed = True
        if self._file is None and self._encoder is None and self._is_new:
            self._path.unlink(missing_ok=True)
        self._release()

    def _release(self) -> None:
        for file in (self._file, self._encoder):
            if file is not None:
                file.close()

    def __enter__(self) -> SoundWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def _encode(self, pcm: NDArray[np.int16]) -> None:
        """libFLAC keeps up to a block, 4096 samples, until the end."""
        try:
            if self._encoder is None:
                self._encoder = soundfile.SoundFile(
                    self._path, "w", self._rate_hz, self._channels, "PCM_16", format="FLAC"
                )
            self._encoder.write(pcm)
        except (soundfile.LibsndfileError, OSError) as error:
            raise OutputError(f"{self._path} cannot be written ({error})", "choose another place") from None

    def _put(self, pcm: bytes) -> None:
        """Samples first and the header after them, so that it never promises what is not there."""
        try:
            if self._file is None:
                self._file = self._path.open("wb", buffering=0)
            _write_at(self._file, _HEADER_BYTES + self._data_bytes, pcm)
            self._data_bytes += len(pcm)
            _write_at(self._file, 0, _header(self._rate_hz, self._channels, self._data_bytes))
        except OSError as error:
            raise cannot_write(self._path, error) from None


def _write_at(file: BinaryIO, place_bytes: int, content: bytes) -> None:
    """The file is unbuffered: what is written is the system's at once. A full disk writes short first."""
    file.seek(place_bytes)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _pcm(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """16-bit PCM, clipped; reading it back gives the same values as long as they were 16-bit ones."""
    scaled = np.nan_to_num(np.rint(samples * 32768.0), nan=0.0)
    pcm: NDArray[np.int16] = np.clip(scaled, -32768, 32767).astype(np.int16)
    return pcm


def _header(rate_hz: int, channels: int, data_bytes: int) -> bytes:
    """The 44 bytes before the samples of a PCM WAV."""
    block_bytes = 2 * channels
    form = struct.pack("<4sI4s", b"RIFF", min(36 + data_bytes, _UNKNOWN_BYTES), b"WAVE")
    sound = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate_hz, rate_hz * block_bytes, block_bytes, 16
    )
    return form + sound + struct.pack("<4sI", b"data", min(data_bytes, _UNKNOWN_BYTES))


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Why a file cannot be written, and what to do."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(f"no room is left to write {path}", "free some disk space")
    if isinstance(error, IsADirectoryError):
        return OutputError(f"{path} is a folder", "name a file in it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return OutputError(f"there is no folder {path.parent} to write {path.name} in", "make it first")
    if isinstance(error, PermissionError):
        return OutputError(f"{path} may not be written", "choose another place, or change its permissions")
    return OutputError(f"{path} cannot be written ({error.strerror})", "choose another place")


def _check_readable(path: Path) -> None:
    """Whatever keeps the bytes themselves from being read."""
    if path.is_fifo() or path.is_char_device():
        raise AudioFileError(f"{path} is no ordinary file", "save the recording to one first")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise AudioFileError(f"there is no file {path}", "check its name") from None
    except IsADirectoryError:
        raise AudioFileError(f"{path} is a folder", "name a recording in it") from None
    except PermissionError:
        raise AudioFileError(f"{path} may not be read", "change its permissions") from None
    except (OSError, ValueError) as error:
        raise AudioFileError(f"{path} cannot be read ({error})", _GIVE_A_RECORDING) from None
    if empty:
        raise AudioFileError(f"{path} is empty", _GIVE_A_RECORDING)


def _check_rate(path: Path, rate_hz: int) -> None:
    if not _LOWEST_RATE_HZ <= rate_hz <= _HIGHEST_RATE_HZ:
        raise AudioFileError(
            f"{path} says it has {rate_hz} samples a second", "a recording has 4000 to 384000; convert it"
        )


def _read_mono(path: Path, file: soundfile.SoundFile) -> Samples:
    """All channels averaged, block by block, so that only one mono copy is held."""
    blocks = [np.zeros(0, np.float32)]
    while len(block := file.read(_READ_FRAMES, dtype="float32", always_2d=True)):  # (frames, channels)
        blocks.append(block.mean(axis=1, dtype=np.float32))
    samples = np.concatenate(blocks)
    if file.format == "FLAC" and len(samples) < file.frames:
        raise _cut_off(path, file.frames / file.samplerate, len(samples) / file.samplerate)
    return samples


def _cut_off(path: Path, promised_s: float, held_s: float) -> AudioFileError:
    return AudioFileError(
        f"{path} is cut off: its header promises {promised_s:.2f} s and it holds {held_s:.2f} s",
        "copy or record it again",
    )


@dataclass(frozen=True, slots=True)
class _WavChunks:
    """What the chunks of a WAV file say. `data_bytes` is None without a data chunk."""

    rate_hz: int = 0
    bytes_per_s: int = 0
    data_bytes: int | None = None
    begin_bytes: int = 0  # where the samples begin
    held_bytes: int = 0  # from there to the end of the file


def _check_wav(path: Path) -> _WavChunks | None:
    """Raise where the header of a WAV promises more than there is. None: another format."""
    with path.open("rb") as file:
        chunks = _wav_chunks(file)
    if chunks is None:
        return None
    if chunks.data_bytes is None or chunks.bytes_per_s == 0:
        raise AudioFileError(f"{path} is a WAV file without sound in it", "copy or record it again")
    _check_rate(path, chunks.rate_hz)
    if chunks.data_bytes > chunks.held_bytes and not _is_stream(chunks.data_bytes):
        raise _cut_off(path, chunks.data_bytes / chunks.bytes_per_s, chunks.held_bytes / chunks.bytes_per_s)
    return chunks


def _with_size(path: Path, chunks: _WavChunks) -> Path | io.BytesIO:
    """The file as libsndfile understands it: a size of 0, written by a program that pipes, is put right."""
    if chunks.data_bytes != 0 or chunks.held_bytes == 0:
        return path
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, chunks.begin_bytes - 4, min(chunks.held_bytes, _UNKNOWN_BYTES))
    return io.BytesIO(content)


def _is_stream(data_bytes: int) -> bool:
    """Whether this size is what programs write that do not know it yet: 2 or 4 GiB, or a little less."""
    return 0x7FFF_F000 <= data_bytes <= 0x8000_0000 or 0xFFFF_F000 <= data_bytes <= _UNKNOWN_BYTES


def _wav_chunks(file: BinaryIO) -> _WavChunks | None:
    """Walk the chunks up to the data; None where the file is no WAV at all."""
    head = file.read(12)
    if head[:4] not in {b"RIFF", b"RIFX", b"RF64"} or head[8:] != b"WAVE":
        return None
    order = ">" if head[:4] == b"RIFX" else "<"
    rate_hz = bytes_per_s = wide_bytes = 0
    while len(chunk := file.read(8)) == 8:
        kind, size = struct.unpack(f"{order}4sI", chunk)
        if kind == b"data":
            begin = file.tell()
            data_bytes = wide_bytes if size == _UNKNOWN_BYTES and wide_bytes else size
            return _WavChunks(rate_hz, bytes_per_s, data_bytes, begin, file.seek(0, io.SEEK_END) - begin)
        body = file.read(min(size, 64))
        if kind == b"fmt " and len(body) >= 16:
            _, _, rate_hz, bytes_per_s = struct.unpack_from(f"{order}HHII", body)
        elif kind == b"ds64" and len(body) >= 16:
            (wide_bytes,) = struct.unpack_from("<Q", body, 8)
        file.seek(size - len(body) + size % 2, io.SEEK_CUR)
    return _WavChunks(rate_hz, bytes_per_s)
