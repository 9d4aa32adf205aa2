"""PocketSphinx, a streaming recogniser of US English that needs no GPU and no download.

It runs in a process of its own (`process`). `feed` returns when that process has decoded what it
was given, so that its work shows as work. When the process dies, the verb that notices raises, and the next
`begin` starts a new one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import numpy as np

from voxterm.engines.pocketsphinx import process
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Ending,
    LoadProgress,
    Samples,
    Transcript,
)
from voxterm.errors import EngineError, EngineLoadError

LOAD_LIMIT_S = 60.0
STALL_LIMIT_S = 15.0  # three times what the process allows itself for the end of an utterance
FED_AT_ONCE_BYTES = 5 * process.BYTES_PER_S  # decoded well within the limit, whatever the machine
READ_BYTES = 65_536


class PocketSphinx:
    """A `Transcriber`."""

    def __init__(self) -> None:
        self.name = "pocketsphinx"
        self._child: _Child | None = None
        self._loaded = False
        self._turn = 0
        self._question = 0
        self._told = ""

    def load(self, progress: LoadProgress) -> None:
        """Start the process and wait until its model is loaded.

        Raises:
            EngineLoadError: the package is missing, or the process does not start.
        """
        self.close()
        try:
            self._child = _Child()
            self._child.wait_for(process.READY, 0, LOAD_LIMIT_S)
        except (_ChildFailedError, OSError) as error:
            self.close()
            raise EngineLoadError(f"PocketSphinx did not start: {error}", "reinstall pocketsphinx") from error
        self._loaded = True
        progress(0, 0)

    def warm_up(self) -> None:
        """Decode a second of faint noise, which touches most of the model."""
        noise = np.random.default_rng(0).normal(0.0, 0.01, HEARING_RATE_HZ * 5 // 4)
        self.begin()
        self.feed(noise.astype(np.float32))
        for _ in self.finish():
            pass
        self.begin()

    def close(self) -> None:
        self._loaded = False
        self._drop_child()

    def begin(self) -> None:
        """A new turn; starts the process again if it died.

        Raises:
            EngineError: it is not loaded, or no process can be started.
        """
        if not self._loaded:
            raise EngineError("PocketSphinx is not loaded", "call load() first")
        self._turn += 1
        self._told = ""
        if self._child is not None and not self._child.alive():
            self._drop_child()
        if self._child is None:
            self._child = _started_again()
        with self._failures():
            self._running().post(process.BEGIN, self._turn)

    def feed(self, samples: Samples) -> str | None:
        """Take the next samples, any number; the text so far where it is new, else None.

        Raises:
            EngineError: the process died or hangs.
        """
        pcm = (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        text = self._told
        with self._failures():
            child = self._running()
            for begin in range(0, len(pcm), FED_AT_ONCE_BYTES):
                child.post(process.AUDIO, self._turn, pcm[begin : begin + FED_AT_ONCE_BYTES])
                text = child.wait_for(process.PARTIAL, self._turn, STALL_LIMIT_S)
        if text == self._told:
            return None
        self._told = text
        return text

    def finish(self) -> Iterator[AudioEncoded | Ending | Transcript]:
        """Transcribe the turn so far; it stays open. What an abandoned call left behind is dropped.

        The Ending is the language model's, by the last words; without words there is none.

        Raises:
            EngineError: the process died or hangs.
        """
        self._question += 1
        question = self._question
        with self._failures():
            child = self._running()
            child.post(process.FINISH, question)
            child.wait_for(process.TAKEN_IN, question, STALL_LIMIT_S)
        yield AudioEncoded()
        with self._failures():
            probability = child.wait_for(process.ENDING, question, STALL_LIMIT_S)
        if probability:
            yield Ending(float(probability))
        with self._failures():
            text = child.wait_for(process.FINAL, question, STALL_LIMIT_S)
        yield Transcript(text)

    def _running(self) -> _Child:
        if self._child is None:
            raise _ChildFailedError("its process is not running")
        return self._child

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """A failure of the process, as an error a person can act on; the process is gone then."""
        try:
            yield
        except _ChildFailedError as error:
            self._drop_child()
            raise EngineError(f"PocketSphinx failed: {error}", "say it again; it is started anew") from error

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.close()
        self._child = None


class _ChildFailedError(Exception):
    """The process died, hangs, or said that it cannot go on."""


class _Child:
    """The process and its two pipes, neither of which ever blocks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # a group of its own, so that a forked copy is ended with it
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to_child = self._process.stdin.fileno()
        self._from_child = self._process.stdout.fileno()
        os.set_blocking(self._to_child, False)
        os.set_blocking(self._from_child, False)
        self._waiting = bytearray()  # not yet written
        self._unread = bytearray()  # read, not yet a whole frame
        self._replies: deque[tuple[bytes, int, str]] = deque()

    def alive(self) -> bool:
        return self._process.poll() is None

    def post(self, kind: bytes, number: int, payload: bytes = b"") -> None:
        self._waiting += process.HEADER.pack(kind, number, len(payload)) + payload
        self._move(0.0)

    def wait_for(self, wanted: bytes, number: int, stall_limit_s: float) -> str:
        """The text of the reply of this kind and number; those before it are dropped."""
        while True:
            while self._replies:
                kind, replied_to, text = self._replies.popleft()
                if (kind, replied_to) == (wanted, number):
                    return text
            if not self._move(stall_limit_s):
                raise _ChildFailedError(f"its process has not moved for {stall_limit_s:.0f} s")

    def close(self) -> None:
        """End the process and any copy of it at once: it holds nothing worth keeping."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:  # closes the pipes and reaps it
            pass

    def _move(self, limit_s: float) -> bool:
        """Write and read what can be, waiting at most `limit_s` for anything; whether anything moved."""
        poll = select.poll()
        poll.register(self._from_child, select.POLLIN)
        if self._waiting:
            poll.register(self._to_child, select.POLLOUT)
        ready = dict(poll.poll(limit_s * 1000.0))
        if self._from_child in ready:
            self._read()
        if ready.get(self._to_child, 0) & select.POLLOUT:
            self._write()
        return bool(ready)

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # a broken pipe shows on the other one
            del self._waiting[: os.write(self._to_child, self._waiting[:READ_BYTES])]

    def _read(self) -> None:
        chunk = os.read(self._from_child, READ_BYTES)
        if not chunk:
            raise _ChildFailedError(f"its process ended (exit status {self._process.wait(STALL_LIMIT_S)})")
        self._unread += chunk
        while (frame := self._next_frame()) is not None:
            if frame[0] == process.FAILED:
                raise _ChildFailedError(frame[2])
            self._replies.append(frame)

    def _next_frame(self) -> tuple[bytes, int, str] | None:
        if len(self._unread) < process.HEADER.size:
            return None
        kind, number, size_bytes = process.HEADER.unpack_from(self._unread)
        end = process.HEADER.size + size_bytes
        if len(self._unread) < end:
            return None
        text = self._unread[process.HEADER.size : end].decode()
        del self._unread[:end]
        return kind, number, text


def _started_again() -> _Child:
    try:
        return _Child()
    except OSError as error:
        raise EngineError(f"PocketSphinx cannot start its process: {error}", "end other programs") from error
