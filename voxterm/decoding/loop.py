"""Prompts in, tokens out: prefill what is new, then one captured step a token for all rows at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from voxterm.decoding.cache import SPARE, Cache, Held, Prompt
from voxterm.decoding.decoder import Decoder
from voxterm.decoding.graph import CapturedStep, on_stream, sent
from voxterm.decoding.sampling import RowSampling, Sampling, draw, penalized
from voxterm.errors import EngineError

__all__ = ["DecodeLoop", "Prompt"]

STEPS_AHEAD = 1
"""Steps that the device works on while the host reads a token. A row's end is seen that many steps late."""


@dataclass
class _Row:
    """What the host knows of one row while it decodes."""

    prompt: Prompt | None  # None: the row sits this one out
    limit: int
    tokens: list[int] = field(default_factory=list)
    ended: bool = False


class _State:
    """What a step reads and writes, in tensors that stay in place."""

    def __init__(self, rows: int, outputs: int, draws: int, device: torch.device) -> None:
        self.tokens = torch.zeros(rows, dtype=torch.int64, device=device)  # (B,) the last of each row
        self.positions = torch.zeros(rows, dtype=torch.int64, device=device)  # where they go in the cache
        self.moving = torch.zeros(rows, dtype=torch.int64, device=device)  # 1 for a row that decodes, else 0
        self.logits = torch.zeros(rows, outputs, device=device)
        self.seen = torch.zeros(rows, outputs, dtype=torch.bool, device=device)
        self.watched = torch.zeros(rows, device=device)  # (B,) how probable the watched ids were
        self.uniform = torch.zeros(rows, draws, device=device)  # the random numbers of all steps
        self.drawn = torch.zeros(1, dtype=torch.int64, device=device)  # how many of them were used
        self.sampling = RowSampling(rows, device)


class _Reader:
    """Brings the tokens of one step to the host, while the device goes on."""

    def __init__(self, rows: int, device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self._tokens = torch.zeros(rows, dtype=torch.int64, pin_memory=on_gpu)
        self._watched = torch.zeros(rows, pin_memory=on_gpu)
        self._copied = torch.cuda.Event() if on_gpu else None

    def copy(self, tokens: Tensor, watched: Tensor) -> None:
        self._tokens.copy_(tokens, non_blocking=True)
        self._watched.copy_(watched, non_blocking=True)
        if self._copied:
            self._copied.record()

    def read(self) -> tuple[list[int], list[float]]:
        """Wait for the tokens and the probabilities of the watched ids, with the GIL released."""
        if self._copied:
            self._copied.synchronize()
        return self._tokens.tolist(), self._watched.tolist()


class DecodeLoop:
    """The rows of one model. `generate` is a plain generator; close it between two tokens to cancel."""

    def __init__(
        self,
        decoder: Decoder,
        rows: int,
        capacity: int,
        stop_ids: Collection[int],
        *,
        watched_ids: Collection[int] = (),
        keeps_prefix: bool = True,
        graphs: bool = True,
        ahead: int | None = None,
    ) -> None:
        """Make room for so many rows of `capacity` positions, each a prompt together with its answer.

        Args:
            watched_ids: whose probability `watched` tells of each step.
            keeps_prefix: whether what a prompt shares with the one before stays in the cache. In the last
                bits that differs from reading it anew.
            graphs: False launches kernel by kernel, as the CPU does anyway.
            ahead: steps launched before a token is read; STEPS_AHEAD on a GPU, and none on a CPU, where a
                step that was not needed costs its time.
        """
        self.rows = rows
        self.device = decoder.device
        self.cuda_stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        self._decoder = decoder
        self._stop_ids = frozenset(stop_ids)
        self._keeps_prefix = keeps_prefix
        self._graphs = graphs and self.cuda_stream is not None
        default_ahead = STEPS_AHEAD if self.cuda_stream else 0
        self._ahead = default_ahead if ahead is None else ahead
        self._cache = Cache(decoder.shape, rows, capacity, decoder.dtype, self.device)
        self._rotation = decoder.rotation(capacity + SPARE)
        watched = decoder.outputs_of(sorted(watched_ids)).to(self.device)
        self._watched_outputs = watched if watched_ids else None
        self.watched: Sequence[float] = (0.0,) * rows
        """Of the latest step: how probable each row found the watched ids together, before it chose."""
        self._state = _State(rows, decoder.outputs, capacity + SPARE, self.device)
        self._steps: dict[tuple[int, bool], CapturedStep] = {}
        self._pool = torch.cuda.graph_pool_handle() if self._graphs else None
        self._readers = [_Reader(rows, self.device) for _ in range(self._ahead + 1)]
        self._generation = 0  # of `generate`'s calls: only the latest may go on
        if self.cuda_stream:  # the zeros above are still on their way, on another
            self.cuda_stream.wait_stream(torch.cuda.current_stream(self.device))

    @property
    def capacity(self) -> int:
        return self._cache.capacity

    @property
    def memory_bytes(self) -> int:
        """What the cache takes, and the tensors of the steps."""
        state = (self._state.logits, self._state.seen, self._state.uniform, self._rotation)
        return self._cache.memory_bytes + sum(tensor.nbytes for tensor in state)

    def warm_up(self) -> None:
        """Capture the step at every span, greedy and sampled, and decode a little. Empties the cache."""
        if self._graphs:
            with self._on_device():
                for span in self._cache.spans():
                    self._step(span, False).capture()
                    self._step(span, True).capture()
                    self._state.positions.zero_()
                    self._state.drawn.zero_()
        for sampling in (Sampling(), Sampling(temperature=1.0)):
            self._cache.forget()
            prompts = [Prompt([0, 0, 0, 0])] * self.rows
            for _ in self.generate(prompts, [sampling] * self.rows, [3] * self.rows):
                pass
        self._cache.forget()

    def close(self) -> None:
        """Give back the graphs; a generator that is still open ends with an error."""
        self._generation += 1
        if self.cuda_stream:
            self.cuda_stream.synchronize()
        for step in self._steps.values():
            step.release()
        self._steps.clear()

    def generate(
        self,
        prompts: Sequence[Prompt | None],
        sampling: Sequence[Sampling],
        max_new_tokens: Sequence[int],
        seed: int = 0,
    ) -> Generator[tuple[int | None, ...], None, None]:
        """Answer a prompt in each row; a row of None sits out, and keeps what the cache holds of it.

        With the same seed a row is sampled the same, whatever the other rows do.

        Yields:
            For each step the sampled id of each row: None from where the row ended, by a stop id (which is
            not given out) or by its limit.

        Raises:
            EngineError: a prompt is empty, or too long for the rows together with its answer.
        """
        rows = self._rows(prompts, max_new_tokens)
        modes = [*sampling, *[Sampling()] * (self.rows - len(sampling))]
        self._generation += 1
        generation = self._generation
        most = max(row.limit for row in rows)
        waiting: deque[_Reader] = deque()
        launched = 0
        try:
            while not all(row.ended for row in rows):
                while len(waiting) <= self._ahead and launched < most:
                    with self._on_device():
                        if launched == 0:
                            self._prefill(rows, modes, seed)
                        else:
                            self._decode(rows, modes, launched)
                        waiting.append(self._read(launched))
                    launched += 1
                tokens, self.watched = waiting.popleft().read()
                taken = self._take(rows, tokens)
                if any(token is not None for token in taken):
                    yield taken
                if generation != self._generation:
                    raise EngineError("another answer was asked for, or the loop was closed", "ask again")
        finally:
            if generation == self._generation:
                self._remember(rows, launched)

    def _rows(self, prompts: Sequence[Prompt | None], limits: Sequence[int]) -> list[_Row]:
        rows = []
        for prompt, limit in zip(prompts, limits, strict=True):
            if prompt is None:
                rows.append(_Row(None, 0, ended=True))
                continue
            if not prompt.ids:
                raise EngineError("a prompt without a token", "give it at least one")
            if len(prompt.ids) + limit > self.capacity:
                raise EngineError(
                    f"{len(prompt.ids)} tokens and an answer of {limit} are more than the {self.capacity} "
                    "of the model's context",
                    "shorten the dialogue or the answer",
                )
            rows.append(_Row(prompt, limit, ended=limit < 1))
        return rows + [_Row(None, 0, ended=True) for _ in range(self.rows - len(rows))]

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        with torch.inference_mode(), on_stream(self.cuda_stream):
            yield

    def _prefill(self, rows: Sequence[_Row], modes: Sequence[Sampling], seed: int) -> None:
        """Read the prompts, row by row, and choose the first tokens."""
        state = self._state
        if self.cuda_stream:  # the inputs were made on another stream
            self.cuda_stream.wait_stream(torch.cuda.default_stream(self.device))
        held = self._cache.held
        lengths = [
            len(row.prompt.ids if row.prompt else of_row.ids) for row, of_row in zip(rows, held, strict=True)
        ]
        state.positions.copy_(sent(torch.tensor(lengths), self.device))
        state.moving.copy_(sent(torch.tensor([int(not row.ended) for row in rows]), self.device))
        state.sampling.set(modes, self._decoder.outputs)
        self._mark_seen(rows, modes)
        self._draw_numbers(rows, seed)
        for number, row in enumerate(rows):
            if row.prompt is None:
                continue
            begin = held[number].common(row.prompt)
            held[number] = Held()  # until it is whole
            x = self._embedded(row.prompt, begin)
            cache = self._cache.row(number)
            state.logits[number] = self._decoder.prefill(x, self._rotation, begin, cache)
        self._choose(any(mode.temperature > 0 for mode in modes))

    def _embedded(self, prompt: Prompt, begin: int) -> Tensor:
        """The vectors of the ids from `begin` on. (T, hidden)"""
        ids = torch.tensor(prompt.ids, dtype=torch.int64)
        x = self._decoder.embedding.picked(sent(ids[begin:], self.device), self._decoder.dtype)
        if prompt.inputs is not None:
            places = (ids == prompt.at_id).nonzero()[:, 0]
            first = int((places < begin).sum())
            if len(places) != len(prompt.inputs):
                raise EngineError(
                    f"a prompt with {len(places)} places for {len(prompt.inputs)} vectors",
                    "give one vector for each place",
                )
            x[sent(places[first:] - begin, self.device)] = prompt.inputs[first:].to(self.device, x.dtype)
        return x

    def _mark_seen(self, rows: Sequence[_Row], modes: Sequence[Sampling]) -> None:
        """Which outputs a row's prompt holds: the repetition penalty is for them too."""
        seen = torch.zeros(self._state.seen.shape, dtype=torch.bool)
        for number, (row, mode) in enumerate(zip(rows, modes, strict=True)):
            if row.prompt is not None and mode.repetition_penalty != 1.0:
                seen[number, self._decoder.outputs_of(row.prompt.ids)] = True
        self._state.seen.copy_(sent(seen, self.device))

    def _draw_numbers(self, rows: Sequence[_Row], seed: int) -> None:
        """Each row has its own random numbers, made on the host: the same on every device."""
        draws = min(max(row.limit for row in rows) + self._ahead, self._state.uniform.shape[1])
        generator = torch.Generator()
        for number in range(self.rows):
            generator.manual_seed(seed * self.rows + number)
            numbers = torch.rand(draws, generator=generator)
            self._state.uniform[number, :draws] = sent(numbers, self.device)
        self._state.drawn.zero_()

    def _decode(self, rows: Sequence[_Row], modes: Sequence[Sampling], launched: int) -> None:
        """Launch one step for all rows."""
        for number, row in enumerate(rows):
            if row.ended:
                self._state.moving[number] = 0
        furthest = max(len(row.prompt.ids) for row in rows if row.prompt and not row.ended) + launched - 1
        sampled = any(mode.temperature > 0 for mode in modes)
        self._step(self._cache.span(furthest), sampled).replay()

    def _step(self, span: int, sampled: bool) -> CapturedStep:
        key = (span, sampled)
        if key not in self._steps:
            self._steps[key] = CapturedStep(lambda: self._run(span, sampled), self.device, self._pool)
        return self._steps[key]

    def _run(self, span: int, sampled: bool) -> None:
        """The work of one step, on tensors that stay in place."""
        state = self._state
        logits = self._decoder.step(state.tokens, state.positions, self._rotation, self._cache.both, span)
        state.logits.copy_(logits)
        state.positions += state.moving
        self._choose(sampled)

    def _choose(self, sampled: bool) -> None:
        state = self._state
        if self._watched_outputs is not None:
            log_total = state.logits.logsumexp(dim=-1, keepdim=True)
            state.watched.copy_((state.logits[:, self._watched_outputs] - log_total).exp().sum(dim=-1))
        logits = penalized(state.logits, state.seen, state.sampling.penalty)
        if sampled:
            uniform = state.uniform.index_select(1, state.drawn)[:, 0]
            index = draw(logits, uniform, state.sampling)
            state.drawn += 1
        else:
            index = logits.argmax(dim=-1)
        state.seen.scatter_(1, index[:, None], True)
        ids = self._decoder.output_ids
        state.tokens.copy_(index if ids is None else ids[index])

    def _read(self, launched: int) -> _Reader:
        reader = self._readers[launched % len(self._readers)]
        reader.copy(self._state.tokens, self._state.watched)
        return reader

    def _take(self, rows: Sequence[_Row], tokens: Sequence[int]) -> tuple[int | None, ...]:
        """Note what each row said; None for a row that has ended."""
        taken: list[int | None] = []
        for row, token in zip(rows, tokens, strict=True):
            if row.ended or token in self._stop_ids:
                row.ended = True
                taken.append(None)
                continue
            row.tokens.append(token)
            row.ended = len(row.tokens) >= row.limit
            taken.append(token)
        return tuple(taken)

    def _remember(self, rows: Sequence[_Row], launched: int) -> None:
        """What the cache holds now: the prompts, and those answered tokens that a step has read."""
        for number, row in enumerate(rows):
            if row.prompt is not None and launched > 0 and self._keeps_prefix:
                ids = [*row.prompt.ids, *row.tokens[: launched - 1]]
                self._cache.held[number] = Held(ids, row.prompt.inputs, row.prompt.at_id)
