"""One Orpheus checkpoint on one device: a text in, audio tokens out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

from voxterm.checkpoints import Checkpoint, require
from voxterm.decoding import DecodeLoop, Decoder, OutputIds, Prompt, Sampling
from voxterm.engines.architectures import from_transformers
from voxterm.engines.mapped import WEIGHT_BYTES, config_of, empty, mapped
from voxterm.engines.memory import failures, within_memory
from voxterm.engines.orpheus.tokens import (
    BEGIN_OF_TEXT,
    END_OF_TURN,
    FIRST_CUSTOM_ID,
    SAMPLED_IDS,
    STOP_IDS,
    VOCABULARY,
    prompt_ids,
)
from voxterm.engines.protocols import LoadProgress, Placement
from voxterm.errors import CheckpointError, EngineError

ARCHITECTURES = ("LlamaForCausalLM",)
SPECIAL_TOKENS = {
    "<|begin_of_text|>": BEGIN_OF_TEXT,
    "<|eot_id|>": END_OF_TURN,
    "<custom_token_0>": FIRST_CUSTOM_ID,
}
WARM_UP_TOKENS = 8
LEAST_ROOM_TOKENS = 246
"""An answer with less room than these three seconds is not worth asking for."""

REMEDY = "give canopylabs/orpheus-3b-0.1-ft or a model trained from it"


class OrpheusModel:
    """A checkpoint that is loaded. `speech` is a plain generator; close it between two tokens to cancel."""

    def __init__(self, checkpoint: Checkpoint, placement: Placement, progress: LoadProgress) -> None:
        """Load it; the weights go from the file to the device, with no second copy.

        Raises:
            CheckpointError: the files are broken, or those of another model.
        """
        self.name = checkpoint.name
        self._device = placement.device
        self._tokenizer = read_tokenizer(checkpoint)
        model = mapped_model(checkpoint)
        self._decoder = Decoder(
            model.model,
            model.lm_head,
            placement.device,
            placement.precision,
            output=OutputIds(SAMPLED_IDS),
            progress=progress,
        )
        # Prompts share six tokens: reading them anew costs nothing, and the same seed gives the same speech.
        self._loop = DecodeLoop(self._decoder, 1, placement.context_tokens, STOP_IDS, keeps_prefix=False)

    @property
    def weight_bytes(self) -> int:
        return self._decoder.memory_bytes

    @property
    def cache_bytes(self) -> int:
        return self._loop.memory_bytes

    def warm_up(self) -> None:
        """Capture what a GPU can replay, and say something to nobody."""
        with failures("Orpheus", self._device):
            self._loop.warm_up()
        for _ in self.speech("tara", "Hello.", WARM_UP_TOKENS, Sampling(temperature=1.0), 0):
            pass

    def close(self) -> None:
        self._loop.close()

    def speech(
        self, speaker: str, text: str, limit: int, sampling: Sampling, seed: int
    ) -> Generator[int, None, None]:
        """The tokens with which a speaker says a text: at most `limit`, the stop id left out.

        Raises:
            EngineError: the text leaves no room in the context.
        """
        ids = prompt_ids(self._tokenizer.encode(f"{speaker}: {text}", add_special_tokens=False).ids)
        room = self._loop.capacity - len(ids)
        if room < LEAST_ROOM_TOKENS:
            raise EngineError(
                f"a text of {len(ids)} tokens leaves no room to speak in a context of {self._loop.capacity}",
                "give the model a longer context",
            )
        answer = self._loop.generate([Prompt(ids)], [sampling], [min(limit, room)], seed)
        with closing(answer) as steps:
            while True:
                with failures("Orpheus", self._device):
                    step = next(steps, None)
                if step is None:
                    return
                if step[0] is not None:
                    yield step[0]


def load_model(checkpoint: Checkpoint, placement: Placement, progress: LoadProgress) -> OrpheusModel:
    """Load a checkpoint.

    Raises:
        CheckpointError: the files are broken, or those of another model.
        EngineMemoryError: it does not fit.
    """

    def needs() -> str:
        weight_bytes = WEIGHT_BYTES[placement.precision] * mapped_model(checkpoint).num_parameters()
        return f"{checkpoint.name} in {placement.precision} needs {weight_bytes / 1e9:.1f} GB and its cache"

    return within_memory(lambda: OrpheusModel(checkpoint, placement, progress), needs, placement.device)


def mapped_model(checkpoint: Checkpoint) -> Any:
    """The `LlamaForCausalLM` with its weights still in the files, which are mapped and not copied.

    Raises:
        CheckpointError: a weight is missing or has another shape.
    """
    require(checkpoint, "vocab_size", VOCABULARY)
    config = config_of(checkpoint, from_transformers("LlamaConfig"))
    model = empty(from_transformers("LlamaForCausalLM"), config)
    mapped(model, checkpoint, remedy=REMEDY)
    return model


def read_tokenizer(checkpoint: Checkpoint) -> Any:
    """The `tokenizers.Tokenizer` of a checkpoint.

    Raises:
        CheckpointError: it is not there, broken, or not Orpheus'.
    """
    from tokenizers import Tokenizer

    path = checkpoint.folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise CheckpointError(
            f"{path} cannot be read: {error}", f"`voxterm fetch {checkpoint.name}`"
        ) from error
    for token, id_ in SPECIAL_TOKENS.items():
        if tokenizer.token_to_id(token) != id_:
            raise CheckpointError(f"{path} has no {token} with the id {id_}", REMEDY)
    return tokenizer
