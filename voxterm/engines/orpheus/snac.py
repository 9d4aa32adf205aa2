"""The decoder of SNAC, which turns frames of codes into samples, a window of frames at a time.

The same network as the `snac` package's, with its encoder left out and its weight norms folded. There the
decoder's noise is drawn anew in each call. Here it depends on the position alone, so that windows which
overlap agree wherever both see enough of what lies around.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxterm.checkpoints import Checkpoint, state_dict
from voxterm.decoding.graph import CapturedFunction, on_stream
from voxterm.engines.protocols import Samples
from voxterm.errors import CheckpointError

NOISE_FRAMES = 64
"""After so many frames, 5.5 s, the noise begins again."""
NOISE_SEED = 24_000

REMEDY = "give hubertsiuzdak/snac_24khz or a folder with the same files"

DILATIONS = (1, 3, 9)
KERNEL = 7


@dataclass(frozen=True)
class SnacShape:
    """The sizes that a checkpoint's config gives."""

    rate_hz: int
    latent_size: int
    channels: int
    rates: tuple[int, ...]  # of the upsampling blocks
    strides: tuple[int, ...]  # latents for each code of a layer, coarse to fine
    codes: int
    code_size: int
    noise: bool
    depthwise: bool

    @classmethod
    def read(cls, name: str, config: Mapping[str, Any]) -> SnacShape:
        """From a config.json.

        Raises:
            CheckpointError: it is not one of SNAC, or needs attention, which the 24 kHz model does not.
        """
        try:
            latent_size = config.get("latent_dim") or config["encoder_dim"] * 2 ** len(
                config["encoder_rates"]
            )
            shape = cls(
                config["sampling_rate"],
                latent_size,
                config["decoder_dim"],
                tuple(config["decoder_rates"]),
                tuple(config["vq_strides"]),
                config["codebook_size"],
                config["codebook_dim"],
                config["noise"],
                config["depthwise"],
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{name} is no SNAC codec: its config.json lacks {error}", REMEDY
            ) from error
        if config.get("attn_window_size") is not None:
            raise CheckpointError(f"{name} is a SNAC codec with attention", REMEDY)
        return shape

    @property
    def frame_samples(self) -> int:
        return math.prod(self.rates) * self.strides[0]

    def layer_sizes(self, frames: int) -> list[int]:
        """How many codes so many frames have in each layer."""
        return [frames * self.strides[0] // stride for stride in self.strides]

    @property
    def reach_samples(self) -> int:
        """How far to each side a sample depends on the codes around it, at the very most."""
        hop = math.prod(self.rates)
        reach = hop * (KERNEL // 2)
        for rate in self.rates:
            reach += hop  # a transposed convolution reads one step to each side
            hop //= rate
            reach += hop * (KERNEL // 2) * sum(DILATIONS)
        return reach + KERNEL // 2


class SnacCodec:
    """A codec on one device, in float32. Used from one thread at a time."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        """Load it.

        Raises:
            CheckpointError: the files are those of another model.
        """
        self.shape = SnacShape.read(checkpoint.name, checkpoint.config)
        self._device = torch.device(device)
        self._net = _Net(self.shape)
        if checkpoint.weights:  # else those that torch drew stay
            self._take_up(checkpoint)
        self._net.make_noise()
        self._net.eval().requires_grad_(False).to(self._device)
        self._stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        if self._stream:  # the weights are still on their way, on another
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        self._graphs: dict[int, CapturedFunction] = {}

    def _take_up(self, checkpoint: Checkpoint) -> None:
        weights = folded(state_dict(checkpoint))
        for key, tensor in self._net.state_dict().items():
            if key not in weights or weights[key].shape != tensor.shape:
                raise CheckpointError(f"{checkpoint.name} lacks {key} of {tuple(tensor.shape)}", REMEDY)
            tensor.copy_(weights[key])

    @property
    def rate_hz(self) -> int:
        return self.shape.rate_hz

    @property
    def frame_samples(self) -> int:
        return self.shape.frame_samples

    @property
    def memory_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in chain(self._net.parameters(), self._net.buffers()))

    @property
    def noise_tables(self) -> list[Tensor]:
        """The noise of each block, coarse to fine, as it comes from frame 0 on until it begins again."""
        return [noise.table for noise in self._net.decoder.noises()]

    def warm_up(self, window_frames: Iterable[int]) -> None:
        """Make windows of these lengths fast: on a GPU each gets a graph. Others stay possible."""
        pool = torch.cuda.graph_pool_handle() if self._stream else None
        for frames in window_frames:
            self._graphs[frames] = CapturedFunction(self._net, self._device, pool)
            self.decode([np.zeros(size, np.int64) for size in self.shape.layer_sizes(frames)])

    def close(self) -> None:
        if self._stream:
            self._stream.synchronize()
        for graph in self._graphs.values():
            graph.release()
        self._graphs.clear()

    def decode(self, codes: Sequence[NDArray[np.int64]], first_frame: int = 0) -> Samples:
        """Decode a window of W frames, of which the first has this number in the whole.

        Args:
            codes: for each layer, coarse to fine; (W,), (2 W,), (4 W,) at 24 kHz

        Returns:
            (W · frame_samples,). Near an end of the window they are as if nothing were beyond it.

        Raises:
            ValueError: a code is not in the codebook, or the layers do not fit together.
        """
        frames = len(codes[0])
        given = np.concatenate(codes)
        if [len(layer) for layer in codes] != self.shape.layer_sizes(frames):
            raise ValueError("layers of codes that are not of the same frames")
        if given.min() < 0 or given.max() >= self.shape.codes:  # on a GPU it would take the process down
            raise ValueError(f"a code outside 0…{self.shape.codes - 1}")
        packed = torch.from_numpy(np.concatenate(([first_frame % NOISE_FRAMES], given)))
        # TF32, which cuDNN takes where it may, would make windows differ by more than can be heard.
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with torch.inference_mode(), on_stream(self._stream), exact:
            samples: Tensor = self._graphs.get(frames, self._net)(packed.to(self._device))
            return samples.cpu().numpy()


def folded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with each weight norm (a direction v and a length g) worked out."""
    names = {"original0": "g", "original1": "v", "weight_g": "g", "weight_v": "v"}
    result: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in weights.items():
        before, _, last = key.rpartition(".")
        if last in names:
            parts.setdefault(before.removesuffix(".parametrizations.weight"), {})[names[last]] = tensor
        else:
            result[key] = tensor
    for name, norm in parts.items():
        if norm.keys() == {"g", "v"}:
            result[f"{name}.weight"] = torch._weight_norm(norm["v"].float(), norm["g"].float(), 0)
    return result


class _Net(nn.Module):
    """Codes, behind the number of the first frame, to samples. Its names are those of the checkpoint."""

    def __init__(self, shape: SnacShape) -> None:
        super().__init__()
        self._shape = shape
        self.quantizer = _Quantizer(shape)
        self.decoder = _Decoder(shape)

    def make_noise(self) -> None:
        """Draw the noise of each level once."""
        generator = torch.Generator().manual_seed(NOISE_SEED)
        for level in self.decoder.noises():
            level.table = torch.randn(level.table.shape, generator=generator)

    def forward(self, packed: Tensor) -> Tensor:
        """packed: (1 + W · codes of a frame,) int64; returns (W · frame_samples,)."""
        first, codes = packed[:1], packed[1:]
        frames = len(codes) // sum(self._shape.layer_sizes(1))
        latents = self.quantizer(codes.split(self._shape.layer_sizes(frames)))
        return self.decoder(latents, first)[0, 0]  # type: ignore[no-any-return]


class _Quantizer(nn.Module):
    def __init__(self, shape: SnacShape) -> None:
        super().__init__()
        self._strides = shape.strides
        self.quantizers = nn.ModuleList(_Codebook(shape) for _ in shape.strides)

    def forward(self, codes: Sequence[Tensor]) -> Tensor:
        """The sum of what the layers' codes stand for. (1, latent, T)"""
        layers = zip(self.quantizers, codes, self._strides, strict=True)
        vectors = [book(layer).repeat_interleave(stride, dim=-1) for book, layer, stride in layers]
        return torch.stack(vectors).sum(0)


class _Codebook(nn.Module):
    def __init__(self, shape: SnacShape) -> None:
        super().__init__()
        self.codebook = nn.Embedding(shape.codes, shape.code_size)
        self.out_proj = nn.Conv1d(shape.code_size, shape.latent_size, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """(T,) → (1, latent, T)"""
        return self.out_proj(self.codebook(codes).T[None])  # type: ignore[no-any-return]


class _Decoder(nn.Module):
    def __init__(self, shape: SnacShape) -> None:
        super().__init__()
        size, channels = shape.latent_size, shape.channels
        if shape.depthwise:
            head = [_conv(size, size, KERNEL, groups=size), _conv(size, channels, 1)]
        else:
            head = [_conv(size, channels, KERNEL)]
        blocks = []
        steps = shape.strides[0]  # of each frame, at the rate of the block's output
        for rate in shape.rates:
            steps *= rate
            blocks.append(_Block(channels, channels // 2, rate, steps if shape.noise else 0, shape.depthwise))
            channels //= 2
        self.model = nn.ModuleList([*head, *blocks, _Snake(channels), _conv(channels, 1, KERNEL)])

    def noises(self) -> list[_Noise]:
        return [module for module in self.modules() if isinstance(module, _Noise)]

    def forward(self, x: Tensor, first_frame: Tensor) -> Tensor:
        """(1, latent, T) → (1, 1, N)"""
        for module in self.model:
            x = module(x, first_frame) if isinstance(module, _Block) else module(x)
        return torch.tanh(x)


class _Block(nn.Module):
    """Upsamples, adds noise, and refines."""

    def __init__(self, size: int, out: int, rate: int, noise_steps: int, depthwise: bool) -> None:
        super().__init__()
        up = nn.ConvTranspose1d(
            size, out, 2 * rate, stride=rate, padding=math.ceil(rate / 2), output_padding=rate % 2
        )
        noise = [_Noise(out, noise_steps)] if noise_steps else []
        units = [_Residual(out, dilation, out if depthwise else 1) for dilation in DILATIONS]
        self.block = nn.ModuleList([_Snake(size), up, *noise, *units])

    def forward(self, x: Tensor, first_frame: Tensor) -> Tensor:
        for module in self.block:
            x = module(x, first_frame) if isinstance(module, _Noise) else module(x)
        return x


class _Noise(nn.Module):
    """Noise as loud as the signal says, from a table that the position reads."""

    table: Tensor

    def __init__(self, size: int, frame_steps: int) -> None:
        super().__init__()
        self._frame_steps = frame_steps
        self.linear = nn.Conv1d(size, size, 1, bias=False)
        self.register_buffer("table", torch.zeros(NOISE_FRAMES * frame_steps), persistent=False)

    def forward(self, x: Tensor, first_frame: Tensor) -> Tensor:
        """x: (1, C, T); first_frame: (1,) int64"""
        steps = torch.arange(x.shape[-1], device=x.device) + first_frame * self._frame_steps
        return x + self.table[steps % len(self.table)] * self.linear(x)  # type: ignore[no-any-return]


class _Residual(nn.Module):
    def __init__(self, size: int, dilation: int, groups: int) -> None:
        super().__init__()
        wide = _conv(size, size, KERNEL, dilation, groups)
        self.block = nn.Sequential(_Snake(size), wide, _Snake(size), _conv(size, size, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)  # type: ignore[no-any-return]


class _Snake(nn.Module):
    """x + sin²(αx) / α (Ziyin et al. 2020)"""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, size, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * x).pow(2)


def _conv(size: int, out: int, kernel: int, dilation: int = 1, groups: int = 1) -> nn.Conv1d:
    padding = (kernel - 1) // 2 * dilation
    return nn.Conv1d(size, out, kernel, padding=padding, dilation=dilation, groups=groups)
