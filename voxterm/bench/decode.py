"""Tokens a second of the decode loop, beside what the memory allows and what Transformers' `generate` does.

Every rate is of each row, from a row's first token to its last; the prefill is a figure of its own.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from statistics import median
from threading import Event
from types import ModuleType
from typing import Any

import torch

from voxterm.bench import ceilings, transformers_view
from voxterm.bench.models import ORPHEUS, VOXTRAL, Subject, loaded
from voxterm.bench.report import Figure
from voxterm.decoding import DecodeLoop, Decoder, Prompt, Sampling, plain
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.errors import InputError

PROMPT_TOKENS = {VOXTRAL: 400, ORPHEUS: 40}
"""30 seconds of speech and a short dialogue; a sentence."""

FIRST_ID = 1000
"""Prompts are of ids that are ordinary text in both vocabularies."""

RUNS = 5
REFERENCE_RUNS = 3  # of what is only compared with
LONGEST_S = 15.0  # after which no further run is begun
GREEDY = "greedy"


@dataclass(frozen=True)
class Model:
    """A decoder as its engine uses it."""

    name: str
    decoder: Decoder
    rows: int
    capacity: int
    sampling: tuple[Sampling, ...]

    @property
    def prompts(self) -> list[Prompt]:
        """One for each row, all equally long, no two alike."""
        length = PROMPT_TOKENS[self.name]
        return [Prompt([FIRST_ID + 7 * row + i for i in range(length)]) for row in range(self.rows)]

    def loop(self, *, graphs: bool = True) -> DecodeLoop:
        """A loop that no id ends and that keeps nothing, warmed up."""
        loop = DecodeLoop(self.decoder, self.rows, self.capacity, (), keeps_prefix=False, graphs=graphs)
        loop.warm_up()
        return loop


@dataclass(frozen=True, slots=True)
class Run:
    """One answer: when it was asked for, and when each of its steps came."""

    asked_s: float
    steps_s: list[float]

    @property
    def tokens_per_s(self) -> float:
        return (len(self.steps_s) - 1) / max(self.steps_s[-1] - self.steps_s[0], 1e-9)

    @property
    def prefill_ms(self) -> float:
        return 1000 * (self.steps_s[0] - self.asked_s)

    def rate_within(self, begin_s: float, end_s: float) -> float:
        """Tokens a second in a part of it."""
        steps = bisect_right(self.steps_s, end_s) - bisect_left(self.steps_s, begin_s) - 1
        return max(steps, 0) / max(end_s - begin_s, 1e-9)


def measure(
    given: Subject, names: Sequence[str], *, tokens: int, rows: int | None, together: bool
) -> dict[str, Figure]:
    """Measure these models one after the other, and then all at once if there are several.

    Raises:
        InputError: so many tokens do not fit into the context.
    """
    given.tell("measuring the memory's bandwidth")
    dtype = torch.float32 if given.placement(names[0]).precision == "float32" else torch.bfloat16
    best = ceilings.measured(given.device, dtype)
    found = {
        "bandwidth_gb_s": Figure([best.bandwidth_bytes_s / 1e9], "GB/s"),
        "matmul_tflop_s": Figure([best.operations_s / 1e12], "TFLOP/s"),
    }
    with loaded(given, names, warm=False) as engines:
        models = [model_of(name, engines[name], given.settings.engines, rows, tokens) for name in names]
        for model in models:
            found |= _alone(model, tokens, best, given.tell)
        if together and len(models) > 1:
            given.tell("decoding with all models at once")
            found |= _together(models, tokens)
    return found


def model_of(name: str, engine: Any, settings: EngineSettings, rows: int | None, tokens: int) -> Model:
    """What an engine that is loaded decodes with, and how it samples.

    Raises:
        InputError: so many tokens do not fit into the context.
    """
    if name == VOXTRAL:
        own = settings.voxtral
        loop, sampling = engine._loaded.loop, [Sampling(own.temperature, own.top_p), Sampling()]
    else:
        speech = settings.orpheus
        loop = engine._model._loop
        sampling = [Sampling(speech.temperature, speech.top_p, 0, speech.repetition_penalty)]
    count = rows or loop.rows
    each = tuple(sampling[min(row, len(sampling) - 1)] for row in range(count))
    return Model(name, loop._decoder, count, _capacity(name, loop.capacity, tokens), each)


def kernels_of(decoder: Decoder) -> dict[str, ModuleType]:
    """The kernels that it can use, its own first: "fused", "plain"."""
    own = decoder._kernels
    found = {own.__name__.rpartition(".")[2]: own}
    return {**found, "plain": plain}


def _alone(
    model: Model, tokens: int, best: ceilings.Ceilings, tell: Callable[[str], None]
) -> dict[str, Figure]:
    name = model.name
    found: dict[str, Figure] = {}
    tell(f"{name}: decoding as the engine does")
    for kernels, module in kernels_of(model.decoder).items():
        with _using(model.decoder, module):
            runs = _runs(model.loop(), model, model.sampling, tokens, RUNS)
        if not found:
            found = _as_the_engine_does(model, runs, tokens, best)
        found[f"{name}_{kernels}_tokens_per_s"] = _rates(runs)
    tell(f"{name}: decoding greedily")
    greedy = _runs(model.loop(), model, [Sampling()] * model.rows, tokens, RUNS)
    found[f"{name}_{GREEDY}_tokens_per_s"] = _rates(greedy)
    if model.decoder.device.type == "cuda":
        tell(f"{name}: decoding without graphs")
        runs = _runs(model.loop(graphs=False), model, model.sampling, tokens, REFERENCE_RUNS)
        found[f"{name}_without_graphs_tokens_per_s"] = _rates(runs)
    if transformers_view.can_be_lent(model.decoder):
        tell(f"{name}: decoding with Transformers' generate")
        found |= _beside_transformers(model, greedy, tokens)
    return found


def _as_the_engine_does(
    model: Model, runs: Sequence[Run], tokens: int, best: ceilings.Ceilings
) -> dict[str, Figure]:
    """The main figures of a model, and what of the memory's bandwidth it uses."""
    positions = PROMPT_TOKENS[model.name] + tokens / 2
    read_bytes = ceilings.step_bytes(model.decoder, model.rows, positions)
    used = [run.tokens_per_s * read_bytes for run in runs]
    gaps = [
        1000 * (after - before)
        for run in runs
        for before, after in zip(run.steps_s, run.steps_s[1:], strict=False)
    ]
    figures = {
        "tokens_per_s": _rates(runs),
        "token_ms": Figure(gaps, "ms"),
        "token_floor_ms": Figure([1000 * best.seconds(read_bytes)], "ms"),
        "prefill_ms": Figure([run.prefill_ms for run in runs], "ms"),
        "token_gb": Figure([read_bytes / 1e9], "GB"),
        "bandwidth_gb_s": Figure([bytes_s / 1e9 for bytes_s in used], "GB/s"),
        "bandwidth_share": Figure([100 * bytes_s / best.bandwidth_bytes_s for bytes_s in used], "%"),
    }
    return {f"{model.name}_{figure}": value for figure, value in figures.items()}


def _beside_transformers(model: Model, greedy: Sequence[Run], tokens: int) -> dict[str, Figure]:
    """`generate` on the same weights, with as many rows and tokens, greedy too."""
    theirs = transformers_view.lent(model.decoder)
    prompts = [prompt.ids for prompt in model.prompts]
    transformers_view.generated(theirs, prompts, min(tokens, 8))  # the first call is slower
    rates = _while_quick(lambda: transformers_view.tokens_per_s(theirs, prompts, tokens), REFERENCE_RUNS)
    times = median(run.tokens_per_s for run in greedy) / median(rates)
    return {
        f"{model.name}_transformers_tokens_per_s": Figure(rates, "tokens/s"),
        f"{model.name}_times_transformers": Figure([times], "times"),
    }


def _together(models: Sequence[Model], tokens: int) -> dict[str, Figure]:
    """All models at once, each on its own thread and stream; counted while all of them decode."""
    loops = [model.loop() for model in models]

    def rates() -> list[float]:
        finished = [Event() for _ in models]
        with ThreadPoolExecutor(len(models)) as pool:
            asked = [
                pool.submit(_run_until, finished, number, loops[number], model, tokens)
                for number, model in enumerate(models)
            ]
            runs = [one.result() for one in asked]
        begin_s, end_s = max(run.steps_s[0] for run in runs), min(run.steps_s[-1] for run in runs)
        return [run.rate_within(begin_s, end_s) for run in runs]

    try:
        found = _while_quick(rates, RUNS)
    finally:
        for loop in loops:
            loop.close()
    return {
        f"{model.name}_together_tokens_per_s": Figure([row[number] for row in found], "tokens/s")
        for number, model in enumerate(models)
    }


def _run_until(finished: Sequence[Event], number: int, loop: DecodeLoop, model: Model, tokens: int) -> Run:
    """Answer again and again, until every model has given a whole answer."""
    run = Run(time.perf_counter(), [])
    try:
        while True:
            steps: Any = loop.generate(model.prompts, model.sampling, [tokens] * model.rows)
            with closing(steps):
                for _ in steps:
                    run.steps_s.append(time.perf_counter())
                    if all(one.is_set() for one in finished):
                        return run
            finished[number].set()
    finally:
        finished[number].set()  # if it failed, nobody waits for it


def _runs(loop: DecodeLoop, model: Model, sampling: Sequence[Sampling], tokens: int, runs: int) -> list[Run]:
    try:
        return _while_quick(lambda: _run(loop, model, sampling, tokens), runs)
    finally:
        loop.close()


def _run(loop: DecodeLoop, model: Model, sampling: Sequence[Sampling], tokens: int) -> Run:
    asked_s = time.perf_counter()
    steps = loop.generate(model.prompts, sampling, [tokens] * model.rows)
    return Run(asked_s, [time.perf_counter() for _ in steps])


def _while_quick(work: Callable[[], Any], times: int) -> list[Any]:
    """What `work` gives, at most so many times, and once at least."""
    begin_s = time.perf_counter()
    found = [work()]
    while len(found) < times and time.perf_counter() - begin_s < LONGEST_S:
        found.append(work())
    return found


def _rates(runs: Sequence[Run]) -> Figure:
    return Figure([run.tokens_per_s for run in runs], "tokens/s")


@contextmanager
def _using(decoder: Decoder, kernels: ModuleType) -> Iterator[None]:
    own = decoder._kernels
    decoder._kernels = kernels
    try:
        yield
    finally:
        decoder._kernels = own


def _capacity(name: str, most: int, tokens: int) -> int:
    """Room for prompt and answer, as a power of two: the cache is read as in the engine, and is small."""
    room = most - PROMPT_TOKENS[name]
    if not 2 <= tokens <= room:
        raise InputError(f"{name} cannot be measured over {tokens} tokens", f"ask for 2 to {room}")
    return min(most, 1 << (PROMPT_TOKENS[name] + tokens - 1).bit_length())


def _rows(name: str) -> int:
    model = ENGINES[name].model
    return model.rows if model else 1


def notes(given: Subject, names: Sequence[str], rows: int | None) -> list[str]:
    """What a reader of the figures has to know."""
    told = ", ".join(
        f"{name} {rows or _rows(name)} at once behind {PROMPT_TOKENS[name]} tokens" for name in names
    )
    return [f"every rate is of one row: {told}", *given.notes(names)]
