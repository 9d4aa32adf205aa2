"""Moved to `voxterm.engines.stand_ins`."""

from voxterm.engines.stand_ins.llama_tokenizer import write_llama_tokenizer as write_llama_tokenizer
from voxterm.engines.stand_ins.voxtral import write_tekken as write_tekken
