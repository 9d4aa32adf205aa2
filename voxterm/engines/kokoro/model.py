"""Kokoro's network: phonemes and a speaker's style to samples, with how long each phoneme lasts.

It is `kokoro.model.KModel` itself, with its weight norms worked out once and its noise drawn from a generator
of its own, so that the same phonemes always sound the same. It computes in float32: 82 million parameters.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from voxterm.checkpoints import Checkpoint, state_dict, unpickled
from voxterm.decoding.graph import on_stream
from voxterm.engines.architectures import from_transformers, importing
from voxterm.engines.declared.kokoro import CHECKPOINT
from voxterm.engines.memory import within_memory
from voxterm.engines.protocols import LoadProgress, Samples
from voxterm.errors import CheckpointError, EngineLoadError, VoiceError

RATE_HZ = 24_000
STYLES = 510  # of a speaker, one for each length of a piece in phonemes; longer pieces there are none
STYLE_SIZE = 128  # of the sound, and as much again of the prosody

NOISE_SEED = 24_000
DRAWN_FRAMES = 2.4  # for each phoneme from weights that are drawn: what speech has

REMEDY = f"give {CHECKPOINT} or a folder with the same files"

SPEAKERS = (
    *("af_heart", "af_alloy", "af_aoede", "af_bella", "af_jessica", "af_kore", "af_nicole", "af_nova"),
    *("af_river", "af_sarah", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam"),
    *("am_michael", "am_onyx", "am_puck", "am_santa"),
    *("bf_emma", "bf_alice", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_george", "bm_lewis"),
    *("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"),
    *("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi"),
    *("zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang"),
    *("ef_dora", "em_alex", "em_santa", "ff_siwis", "hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
    *("if_sara", "im_nicola", "pf_dora", "pm_alex", "pm_santa"),
)
"""Those of the published checkpoint, version 1.0. The first letter is the language; its best come first."""


class KokoroModel:
    """The network on one device, and the speakers that were asked for. Used from one thread at a time."""

    def __init__(self, checkpoint: Checkpoint, device: str, progress: LoadProgress) -> None:
        """Load it.

        Raises:
            EngineLoadError: the package `kokoro` is not there.
            CheckpointError: the files are those of another model.
        """
        self.speakers = _speakers(checkpoint)
        self._checkpoint = checkpoint
        self._device = torch.device(device)
        model = _built(checkpoint)
        if checkpoint.weights:
            _take_up(model, checkpoint, progress)
        else:
            bias = model.predictor.duration_proj.linear_layer.bias
            share = DRAWN_FRAMES / len(bias)
            nn.init.constant_(bias, float(np.log(share / (1 - share))))
        for module in model.modules():
            if hasattr(module, "weight_g"):
                nn.utils.remove_weight_norm(module)
        self._model: Any = model.eval().requires_grad_(False).to(self._device)
        self._vocabulary: Mapping[str, int] = checkpoint.config["vocab"]
        self._styles: dict[str, Tensor] = {}  # (STYLES, 1, 2 · STYLE_SIZE) each
        self._stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        if self._stream:  # the weights are still on their way, on another
            self._stream.wait_stream(torch.cuda.current_stream(self._device))

    @property
    def memory_bytes(self) -> int:
        held = chain(self._model.parameters(), self._model.buffers(), list(self._styles.values()))
        return sum(tensor.nbytes for tensor in held)

    def known(self, phonemes: str) -> list[int]:
        """The ids of those that the model knows."""
        return [self._vocabulary[phoneme] for phoneme in phonemes if phoneme in self._vocabulary]

    def style(self, speaker: str) -> Tensor:
        """What makes a speaker. (STYLES, 1, 2 · STYLE_SIZE)

        Raises:
            VoiceError: the checkpoint has no such speaker.
            CheckpointError: the file is broken.
        """
        if speaker not in self._styles:
            if speaker not in self.speakers:
                raise _no_speaker(speaker, self.speakers, self._checkpoint)
            with on_stream(self._stream):
                self._styles[speaker] = _style(speaker, self._checkpoint).to(self._device)
        return self._styles[speaker]

    def speak(
        self, ids: Sequence[int], style: Tensor, speed: float, seed: int = NOISE_SEED
    ) -> tuple[Samples, list[int]]:
        """Say a piece of at most STYLES ids.

        Args:
            style: (1, 2 · STYLE_SIZE)

        Returns:
            The samples, and how many frames each id lasts: one more before the first and after the last.
        """
        padded = torch.tensor([[0, *ids, 0]])
        with torch.inference_mode(), on_stream(self._stream), _Noise(self._device, seed):
            samples, frames = self._model.forward_with_tokens(padded.to(self._device), style, speed)
            return samples.cpu().numpy().reshape(-1), frames.cpu().reshape(-1).tolist()

    def close(self) -> None:
        if self._stream:
            self._stream.synchronize()
        self._styles.clear()
        self._model = nn.Module()


def load_model(checkpoint: Checkpoint, device: str, progress: LoadProgress) -> KokoroModel:
    """Load it.

    Raises:
        EngineLoadError: the package `kokoro` is not there.
        CheckpointError: the files are those of another model.
        EngineMemoryError: it does not fit.
    """
    return within_memory(
        lambda: KokoroModel(checkpoint, device, progress), lambda: f"{checkpoint.name} needs 0.5 GB", device
    )


class _Noise(TorchFunctionMode):
    """Inside, what the network draws comes from a generator that begins anew: the same noise each time.

    Nor may the common generator be used while another thread captures a graph.
    """

    def __init__(self, device: torch.device, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator(device)
        self._generator.manual_seed(seed)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func is torch.rand:
            return torch.rand(*args, **given, generator=self._generator)
        if func is torch.randn_like:
            return torch.empty_like(*args, **given).normal_(generator=self._generator)
        return func(*args, **given)


def _built(checkpoint: Checkpoint) -> Any:
    """The network as the config says, its weights as torch draws them.

    Raises:
        EngineLoadError: the package is missing.
        CheckpointError: the config is not one of Kokoro.
    """
    empty = io.BytesIO()
    torch.save({}, empty)  # given no weights to load, it would fetch some
    empty.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weight norms, and of dropout between layers that are one
        try:
            kind = from_transformers("KModel", "kokoro.model")
        except ImportError as error:
            raise EngineLoadError(
                f"Kokoro needs the package kokoro: {error}",
                "run `pip install 'kokoro>=0.9.4'` with a Python of 3.10 to 3.12",
            ) from error
        try:
            dict(checkpoint.config["vocab"])
            with importing():
                return kind(repo_id=checkpoint.name, config=dict(checkpoint.config), model=empty)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # each part of it has a way of its own to refuse
            raise CheckpointError(
                f"{checkpoint.name} is no Kokoro: its config.json does not fit ({error})", REMEDY
            ) from error


def _take_up(model: nn.Module, checkpoint: Checkpoint, progress: LoadProgress) -> None:
    """
    Raises:
        CheckpointError: a weight is missing or has another shape.
    """
    tensors = {
        key.replace(".module.", ".", 1): tensor for key, tensor in state_dict(checkpoint, progress).items()
    }
    for key, own in model.state_dict().items():
        if key in tensors and tensors[key].shape == own.shape:
            own.copy_(tensors[key])
        elif key in tensors or ".norm." not in key:  # the package added norms that do nothing as they are
            raise CheckpointError(f"{checkpoint.name} lacks {key} of {tuple(own.shape)}", REMEDY)


def _speakers(checkpoint: Checkpoint) -> tuple[str, ...]:
    if not checkpoint.weights:
        return SPEAKERS
    return tuple(sorted(path.stem for path in (checkpoint.folder / "voices").glob("*.pt")))


def _style(speaker: str, checkpoint: Checkpoint) -> Tensor:
    """
    Raises:
        CheckpointError: the file is broken.
    """
    if not checkpoint.weights:
        return torch.randn(STYLES, 1, 2 * STYLE_SIZE, generator=torch.Generator().manual_seed(0)) / 8
    path = _file(speaker, checkpoint)
    style = unpickled(path)
    if not isinstance(style, Tensor) or style.shape != (STYLES, 1, 2 * STYLE_SIZE):
        raise CheckpointError(f"{path} is no speaker of Kokoro", REMEDY)
    return style.float().clone()  # the file is mapped


def _file(speaker: str, checkpoint: Checkpoint) -> Path:
    return checkpoint.folder / "voices" / f"{speaker}.pt"


def _no_speaker(speaker: str, there: Sequence[str], checkpoint: Checkpoint) -> VoiceError:
    if speaker in SPEAKERS:
        return VoiceError(f"{_file(speaker, checkpoint)} is missing", f"run `voxterm fetch {CHECKPOINT}`")
    near = get_close_matches(speaker, there, n=3) or there[:5]
    return VoiceError(f'Kokoro has no speaker "{speaker[:60]}"', f"near are {', '.join(near)}")
