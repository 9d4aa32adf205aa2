"""A language model behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, LM Studio, a hosted one."""

from __future__ import annotations

from pydantic import Field

from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.section import Section, Text


class OpenAiSettings(Section):
    """Where the server is and how it answers. What is None is left to the server."""

    base_url: str = Field(
        default="http://127.0.0.1:8000/v1", pattern=r"^https?://\S+$", examples=["http://127.0.0.1:8000/v1"]
    )
    model: str = ""  # "": the first that the server lists
    key_variable: Text = "OPENAI_API_KEY"  # the name of the variable; the key itself stands in no file
    timeout_s: float = Field(default=10.0, ge=1.0, le=600.0)
    connect_timeout_s: float = Field(default=2.0, ge=0.1, le=60.0)
    tries: int = Field(default=3, ge=1, le=10)
    reply_tokens: int = Field(default=400, ge=8, le=4096)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    top_p: float | None = Field(default=None, ge=0.01, le=1.0)
    second_choice: str = ""  # the language model that answers while the server is away


OPENAI = Declaration(
    name="openai",
    title="OpenAI-compatible server",
    role="language model",
    place="voxterm.engines.openai.engine:built",
    packages=("openai>=3.54",),
    is_remote=True,
)
