"""The decode loop: tokens of a Hugging Face causal language model, as fast as the memory can be read.

A `Decoder` holds the weights of a Llama-shaped model (Llama, Mistral, Qwen2, Qwen3) fused, in bf16, int8 or
int4, on one device. A `DecodeLoop` over it has a static KV cache, prefills a prompt in one pass, of which it
leaves out what the cache holds already, and then replays one CUDA graph a token: the whole model, the
sampling included. The host reads each token while the device works on the next.

Knows nothing of speech, of prompts' formats or of threads. Use a loop from one thread at a time; loops of
several models run at once, each on its own stream. On a CPU the same code runs without graphs.
"""

from voxterm.decoding.decoder import Decoder
from voxterm.decoding.loop import DecodeLoop, Prompt
from voxterm.decoding.output import OutputIds
from voxterm.decoding.sampling import Sampling

__all__ = ["DecodeLoop", "Decoder", "OutputIds", "Prompt", "Sampling"]
