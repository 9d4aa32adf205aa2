"""The process in which PocketSphinx decodes, since the library holds the GIL while it works.

    python -m voxterm.engines.pocketsphinx.process

Frames come in on stdin and go out on stdout: a header (kind, number, payload bytes), then the payload, which
is 16 kHz int16 samples or UTF-8 text. It ends at the end of its input. Imported by the other side for the
format of the frames alone, so PocketSphinx is imported late.

Two things here decide how well it hears. The decoder subtracts a cepstral mean, and starts from a poor guess
when it decodes live: 7 words in 10 are then wrong. So the first second of speech is held back, its mean is
measured by a second decoder that looks for one keyword (a cheap way to the same front end), and decoding
starts from there; silence before the speech would spoil that mean and is cut off. With this, live decoding
makes no more errors than decoding a whole file. And the end of an utterance is decoded in a forked copy, so
that the utterance itself stays open for what is said after a pause.
"""

from __future__ import annotations

import math
import os
import re
import signal
import struct
import sys
from array import array
from collections.abc import Iterator
from operator import mul
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pocketsphinx import Decoder  # type: ignore[import-untyped]

HEADER = struct.Struct("<cII")  # kind, number of the turn or of the question, bytes of the payload

BEGIN, AUDIO, FINISH = b"B", b"A", b"F"  # to the process
READY, PARTIAL, TAKEN_IN, ENDING, FINAL, FAILED = b"R", b"P", b"T", b"N", b"E", b"X"  # from it

BYTES_PER_S = 2 * 16_000
BLOCK_BYTES = BYTES_PER_S // 100  # 10 ms: what the level is measured over
MEASURED_BYTES = BYTES_PER_S  # the speech that the mean is measured on
LEAD_BYTES = BYTES_PER_S // 5  # the silence that is kept before it
SPEECH_TO_LOUDEST = 20.0**-2  # energy: speech begins 26 dB below the loudest block so far
QUIETEST_SPEECH = (32768 * 10 ** (-60 / 20)) ** 2  # energy: a block below −60 dBFS is silence
PARTIAL_EVERY_BYTES = BYTES_PER_S * 15 // 100
FINISH_LIMIT_S = 5
SENTENCE_END = "</s>"
ENDING_WEIGHT = 0.1
"""What the language model's log odds are worth: fitted, 0 on recordings of people, of whose words a third are
heard wrong, and 0.15 on what eSpeak NG says."""


class Recogniser:
    """One decoder for all turns. `begin`, `feed` and `final_text`, the last as often as you like."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        # The second pass (fwdflat) makes the last word wait 240–810 ms and finds no better words.
        self._decoder: Decoder = Decoder(samprate=16_000, fwdflat=False, loglevel="FATAL")
        self._measure: Decoder = Decoder(
            samprate=16_000, lm=None, keyphrase="hello", kws_threshold=1e-50, loglevel="FATAL"
        )
        self._language_model = self._decoder.get_lm()
        self._decoding = False
        self._held = bytearray()
        self._energies: list[float] = []  # of each whole block in `_held`

    def begin(self) -> None:
        if self._decoding:
            self._decoder.end_utt()
        self._decoding = False
        self._held.clear()
        self._energies.clear()

    def feed(self, pcm: bytes) -> None:
        if not pcm:  # the library takes no empty block
            return
        if self._decoding:
            self._decoder.process_raw(pcm)
            return
        self._held += pcm
        speech_at = self._speech_at()
        if speech_at is None:
            self._forget(len(self._held) - LEAD_BYTES)
        elif len(self._held) - speech_at >= MEASURED_BYTES:
            self._start(speech_at)

    def text(self) -> str:
        """The words so far, without the marks of variants and of noises."""
        found = self._decoder.hyp() if self._decoding else None
        if found is None:
            return ""
        words = (re.sub(r"\(\d+\)$", "", word) for word in found.hypstr.split())
        return " ".join(word for word in words if not word.startswith(("<", "[", "+")))

    def final_text(self) -> str:
        """The words of the utterance as if it ended here. It stays open."""
        reading, writing = os.pipe()
        copy = os.fork()
        if copy == 0:
            self._answer_in_copy(writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            text = answer.read().decode()
        _, status = os.waitpid(copy, 0)
        return text if status == 0 else self.text()

    def ending(self, text: str) -> float | None:
        """How probable it is that a sentence ends with the last words of this text; None: it has none.

        The trigram model's probability of an end after these words, against that after no word in particular:
        where the words change nothing it is one half.
        """
        words = text.split()
        if not words:
            return None
        ratio = self._end_probability(words[-1:-3:-1]) / self._end_probability([])
        return 1.0 / (1.0 + math.exp(-ENDING_WEIGHT * math.log(ratio)))

    def _end_probability(self, latest_first: list[str]) -> float:
        """Of the end of a sentence after these words, the latest first; the model looks at two."""
        log: int = self._language_model.prob([SENTENCE_END, *latest_first])
        probability: float = self._decoder.get_logmath().exp(log)
        return probability

    def _answer_in_copy(self, writing: int) -> None:
        """End the utterance and write its words; never returns. The alarm ends a copy that hangs."""
        exit_code = 1
        try:
            signal.alarm(FINISH_LIMIT_S)
            if not self._decoding and (speech_at := self._speech_at()) is not None:
                self._start(speech_at)
            if self._decoding:
                self._decoder.end_utt()
            os.write(writing, self.text().encode())
            exit_code = 0
        finally:
            os._exit(exit_code)

    def _start(self, speech_at: int) -> None:
        """Measure the mean, over the same bytes however they were cut when fed; then decode what is held."""
        measured_until = speech_at + MEASURED_BYTES
        first = max(0, speech_at - LEAD_BYTES)
        for decoder in (self._measure, self._decoder):
            decoder.start_stream()  # forgets the noise of earlier turns; it warns that it is of no use
        self._measure.start_utt()
        self._measure.process_raw(bytes(self._held[first:measured_until]), full_utt=True)
        self._decoder.set_cmn(self._measure.get_cmn(False))
        self._measure.end_utt()
        self._decoder.start_utt()
        self._decoder.process_raw(bytes(self._held[first:]))
        self._decoding = True

    def _speech_at(self) -> int | None:
        """Where in the held bytes speech begins; None while all is silence."""
        for at in range(len(self._energies) * BLOCK_BYTES, len(self._held) - BLOCK_BYTES + 1, BLOCK_BYTES):
            block = array("h", self._held[at : at + BLOCK_BYTES])
            self._energies.append(sum(map(mul, block, block)) / len(block))
        loudest = max(self._energies, default=0.0)
        if loudest < QUIETEST_SPEECH:
            return None
        threshold = loudest * SPEECH_TO_LOUDEST
        return BLOCK_BYTES * next(i for i, energy in enumerate(self._energies) if energy >= threshold)

    def _forget(self, count: int) -> None:
        """Drop the first bytes that are held, in whole blocks."""
        blocks = max(0, count) // BLOCK_BYTES
        del self._held[: blocks * BLOCK_BYTES]
        del self._energies[:blocks]


class Conversation:
    """Obeys the frames of one input and answers on one output."""

    def __init__(self, recogniser: Recogniser, outgoing: BinaryIO) -> None:
        self._recogniser = recogniser
        self._outgoing = outgoing
        self._partial = ""
        self._unread_bytes = 0  # fed since the words so far were last looked at

    def obey(self, kind: bytes, number: int, payload: bytes) -> None:
        if kind == BEGIN:
            self._recogniser.begin()
            self._partial, self._unread_bytes = "", 0
        elif kind == AUDIO:
            self._recogniser.feed(payload)
            write_frame(self._outgoing, PARTIAL, number, self._text_after(len(payload)))
        elif kind == FINISH:
            write_frame(self._outgoing, TAKEN_IN, number)
            text = self._recogniser.final_text()
            ending = self._recogniser.ending(text)
            write_frame(self._outgoing, ENDING, number, "" if ending is None else f"{ending:.6f}")
            write_frame(self._outgoing, FINAL, number, text)

    def _text_after(self, fed_bytes: int) -> str:
        """The words so far, looked up every 150 ms of sound."""
        self._unread_bytes += fed_bytes
        if self._unread_bytes >= PARTIAL_EVERY_BYTES:
            self._unread_bytes = 0
            self._partial = self._recogniser.text()
        return self._partial


def write_frame(outgoing: BinaryIO, kind: bytes, number: int = 0, text: str = "") -> None:
    payload = text.encode()
    outgoing.write(HEADER.pack(kind, number, len(payload)) + payload)
    outgoing.flush()


def read_frames(incoming: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    """Kind, number and payload of each frame, until the input ends."""
    while len(header := incoming.read(HEADER.size)) == HEADER.size:
        kind, number, size_bytes = HEADER.unpack(header)
        yield kind, number, incoming.read(size_bytes)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the conversation; it closes the input
    try:
        _serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # nobody listens any more; a normal exit would try to flush the same pipe again


def _serve(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    try:
        conversation = Conversation(Recogniser(), outgoing)
        write_frame(outgoing, READY)
        for kind, number, payload in read_frames(incoming):
            conversation.obey(kind, number, payload)
    except BrokenPipeError:
        raise
    except Exception as error:
        write_frame(outgoing, FAILED, 0, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
