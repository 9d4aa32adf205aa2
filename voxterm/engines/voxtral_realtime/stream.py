"""One stream of speech through Voxtral Realtime: samples in, a token out for each frame of 80 ms.

Nothing is computed twice and nothing grows but the samples that were not yet taken in. The text model's cache
is a ring as well: of a turn longer than that it sees the last part, as with its own sliding window.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxterm.decoding.cache import Cache
from voxterm.decoding.graph import CapturedStep, on_stream, sent
from voxterm.engines.protocols import Samples
from voxterm.engines.voxtral_realtime.encoder import LOOK_BACK_SAMPLES, chunk_samples
from voxterm.engines.voxtral_realtime.model import RealtimeModel
from voxterm.engines.voxtral_realtime.prompt import END_OF_TEXT_ID, FRAME_SAMPLES, RealtimePrompt


@dataclass(frozen=True, slots=True)
class Token:
    """What a frame gave."""

    id: int
    full_stop: float  # how probable a token that ends a sentence was in its place


class RealtimeStream:
    """`hear` samples and take a `step` while it `is_behind`; inside `ending` those that end it here."""

    def __init__(self, model: RealtimeModel, prompt: RealtimePrompt, context_tokens: int) -> None:
        """`context_tokens`: so many frames back the text model sees, and no more than it was trained for."""
        decoder = model.decoder
        self._encoder, self._decoder, self._rotary = model.encoder, decoder, model.rotary
        self._prompt = prompt
        self._at_once = prompt.right_frames + 1  # frames that are encoded in one go, and that an ending has
        self._device = decoder.device
        self._cuda_stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        self._capacity = min(context_tokens, model.window)
        self._cache = Cache(decoder.shape, 1, self._capacity, decoder.dtype, self._device)
        self._rotation = decoder.rotation(self._capacity)  # (S, 2, D) of the positions that the slots have
        self._opening = self._rotation[: len(prompt.ids)].clone()
        ends = decoder.outputs_of(sorted(prompt.sentence_ends()))
        self._sentence_ends = ends.to(self._device)
        self._ids = torch.tensor(prompt.ids, device=self._device)
        self._token = torch.zeros(1, dtype=torch.int64, device=self._device)
        self._full_stop = torch.zeros(1, device=self._device)
        self._position = torch.zeros(1, dtype=torch.int64, device=self._device)
        self._audio = torch.zeros(1, decoder.shape.hidden, dtype=decoder.dtype, device=self._device)
        self._steps: dict[int, CapturedStep] = {}
        self._pool = torch.cuda.graph_pool_handle() if self._cuda_stream else None
        if self._cuda_stream:  # weights and zeros are still on their way, on another
            self._cuda_stream.wait_stream(torch.cuda.current_stream(self._device))
        self.begin()

    @property
    def memory_bytes(self) -> int:
        """What the caches take."""
        return self._cache.memory_bytes + self._encoder.cache_bytes + self._rotation.nbytes

    @property
    def is_behind(self) -> bool:
        """Whether there is a frame to take in."""
        return not self._has_ended and (self._frames_ready > 0 or len(self._vectors) > 0)

    def begin(self) -> None:
        """A new stream."""
        silence = LOOK_BACK_SAMPLES + self._prompt.left_frames * FRAME_SAMPLES
        self._waiting: list[Samples] = [np.zeros(silence, np.float32)]
        self._waiting_samples = silence  # from LOOK_BACK_SAMPLES before the next frame on
        self._heard_samples = 0
        self._vectors = self._audio[:0]  # (n, hidden) of frames encoded and not yet decoded
        self._taken = 0  # frames decoded: the position of the next
        self._patient_until: int | None = None  # the frame up to which words may begin; None: speech goes on
        self._has_ended = False
        with self._on_device():
            self._encoder.begin()

    def hear(self, samples: Samples) -> None:
        """Keep the next samples, until steps take them in."""
        self._heard_samples += len(samples)
        self._keep(np.array(samples, dtype=np.float32))

    def step(self) -> Token | None:
        """Take in the next frame; the token it gives. None: the opening is not through yet.

        May be called only while the stream `is_behind`. One that failed can be taken again.
        """
        with self._on_device():
            if not len(self._vectors):
                self._encode(min(self._frames_ready, self._at_once))
            if self._taken < len(self._prompt.ids):
                self._open()
            else:
                self._decode()
            if self._taken < len(self._prompt.ids):
                return None
            token = Token(int(self._token.item()), self._full_stop.item())
        self._has_ended = self._is_end(token)
        return token

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Inside, the speech ends here: steps take in the silence after it. Then the stream is where it was.

        It is behind no longer as soon as the model has nothing left to write: with the first [STREAMING_PAD]
        once the delay has passed, by which every word has begun that was said.
        """
        silence = -self._heard_samples % FRAME_SAMPLES + self._prompt.right_frames * FRAME_SAMPLES
        spoken_frames = -(-self._heard_samples // FRAME_SAMPLES)
        with self._returning():
            self._keep(np.zeros(silence, np.float32))
            self._patient_until = self._prompt.left_frames + spoken_frames + self._prompt.delay_frames
            yield

    def warm_up(self) -> None:
        """Capture the steps. Begins anew."""
        with self._on_device():
            self._encoder.warm_up()
            for span in self._cache.spans():
                self._captured(span).capture()
        self.begin()

    def close(self) -> None:
        """Give back the graphs."""
        if self._cuda_stream:
            self._cuda_stream.synchronize()
        self._encoder.close()
        for captured in self._steps.values():
            captured.release()
        self._steps.clear()

    @property
    def _frames_ready(self) -> int:
        """How many frames have all their samples, and were not yet encoded."""
        return max(0, (self._waiting_samples - chunk_samples(0)) // FRAME_SAMPLES)

    def _is_end(self, token: Token) -> bool:
        """Whether nothing is left to write after this one."""
        if self._patient_until is None:
            return False
        is_idle = token.id == self._prompt.pad_id and self._taken > self._patient_until
        return is_idle or token.id == END_OF_TEXT_ID

    def _keep(self, samples: Samples) -> None:
        self._waiting.append(samples)
        self._waiting_samples += len(samples)

    def _encode(self, frames: int) -> None:
        samples = np.concatenate(self._waiting)
        self._vectors = self._encoder(samples[: chunk_samples(frames)])
        self._waiting = [samples[frames * FRAME_SAMPLES :]]
        self._waiting_samples = len(self._waiting[0])

    def _open(self) -> None:
        """Read of the opening what there are vectors for, in one pass."""
        begin = self._taken
        vectors = self._vectors[: len(self._prompt.ids) - begin]
        end = begin + len(vectors)
        x = self._decoder.embedding.picked(self._ids[begin:end], self._decoder.dtype) + vectors
        logits = self._decoder.prefill(x, self._opening, begin, self._cache.row(0))
        self._choose(logits[None])
        self._advance(len(vectors))

    def _decode(self) -> None:
        self._audio.copy_(self._vectors[:1])
        self._position.fill_(self._taken)
        self._captured(self._cache.span(min(self._taken, self._capacity - 1))).replay()
        self._advance(1)

    def _advance(self, frames: int) -> None:
        self._vectors = self._vectors[frames:]
        self._taken += frames

    def _captured(self, span: int) -> CapturedStep:
        if span not in self._steps:
            self._steps[span] = CapturedStep(lambda: self._run(span), self._device, self._pool)
        return self._steps[span]

    def _run(self, span: int) -> None:
        """The work of one frame, on tensors that stay in place."""
        slot = self._position % self._capacity
        cos, sin = self._rotary(self._full_stop, self._position[None])  # (1, 1, D) float32
        self._rotation.index_copy_(0, slot, torch.stack((cos[0], sin[0]), dim=1))
        # An end of the text in the midst of the speech is no reason to stop listening.
        read = self._token.masked_fill(self._token == END_OF_TEXT_ID, self._prompt.pad_id)
        logits = self._decoder.step(
            read,
            slot,
            self._rotation,
            self._cache.both,
            span,
            added=self._audio,
            last=self._position.clamp(max=self._capacity - 1),
        )
        self._choose(logits)

    def _choose(self, logits: Tensor) -> None:
        """Greedily, from (1, V)."""
        self._token.copy_(logits.argmax(dim=-1))
        chances = logits[:, self._sentence_ends] - logits.logsumexp(dim=-1, keepdim=True)
        self._full_stop.copy_(chances.exp().sum(dim=-1))

    @contextmanager
    def _returning(self) -> Iterator[None]:
        """Whatever is taken in inside, the stream afterwards stands where it stood."""
        waiting, waiting_samples = list(self._waiting), self._waiting_samples
        vectors, taken = self._vectors, self._taken
        slots = sent(torch.arange(taken, taken + self._at_once) % self._capacity, self._device)
        with self._on_device():
            encoder, token = self._encoder.moment(), self._token.clone()
            overwritten = [cache[:, :, :, slots] for cache in self._cache.both]
        try:
            yield
        finally:
            self._waiting, self._waiting_samples = waiting, waiting_samples
            self._vectors, self._taken = vectors, taken
            self._patient_until, self._has_ended = None, False
            with self._on_device():
                self._encoder.go_back(encoder)
                self._token.copy_(token)
                for cache, kept in zip(self._cache.both, overwritten, strict=True):
                    cache[:, :, :, slots] = kept

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        with torch.inference_mode(), on_stream(self._cuda_stream):
            yield
