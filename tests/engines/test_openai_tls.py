"""The engine against a server that speaks HTTPS, as hosted ones do."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from chat_server import ChatServer, stalls

from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.openai.engine import OpenAiLanguageModel
from voxterm.engines.protocols import Message
from voxterm.errors import EngineLoadError

HELLO = [Message("user", "Hello.")]
SOON_S = 5.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[ChatServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ChatServer(tls=context) as server:
        yield server


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def said(engine: OpenAiLanguageModel) -> str:
    return "".join(getattr(item, "text", "") for item in engine.reply(HELLO))


def load(url: str) -> OpenAiLanguageModel:
    engine = OpenAiLanguageModel(OpenAiSettings(base_url=url, tries=1), "sk-secret")
    engine.load(lambda done, total: None)
    return engine


@pytest.mark.usefixtures("trusted")
def test_it_answers_lets_go_and_has_a_connection_again(server: ChatServer) -> None:
    engine = load(server.url)
    assert said(engine) == said(engine) == "You said: Hello. "
    assert server.connections == 1
    server.play(stalls(threading.Event(), "One "))
    reply = engine.reply(HELLO)
    while next(reply).text != "One ":
        pass
    reply.close()
    assert server.gone.wait(SOON_S), "the server goes on writing to nobody"
    engine.expect()
    assert server.connections == 2
    assert said(engine) == "You said: Hello. "
    assert server.connections == 2
    engine.close()


def test_a_certificate_that_nobody_vouches_for_is_told_as_such(server: ChatServer) -> None:
    with pytest.raises(EngineLoadError, match=r"certificate of https.* cannot be trusted") as caught:
        load(server.url)
    assert "SSL_CERT_FILE" in caught.value.remedy
    assert server.requests == [], "the key was sent"


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_is_told_as_such(server: ChatServer) -> None:
    with pytest.raises(EngineLoadError, match=r"cannot be trusted.*localhost") as caught:
        load(server.url.replace("127.0.0.1", "localhost"))
    assert "as its certificate does" in caught.value.remedy


def test_a_server_without_tls_is_told_as_such() -> None:
    with ChatServer() as server, pytest.raises(EngineLoadError, match="does not speak TLS") as caught:
        load(server.url.replace("http:", "https:"))
    assert "http://" in caught.value.remedy


@pytest.mark.usefixtures("trusted")
def test_one_that_wants_another_tls_is_not_taken_for_one_without(authority: trustme.CA) -> None:
    """Whoever went on without TLS would send the key in clear."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_ciphers("ECDHE-RSA-AES128-SHA256")  # of TLS 1.2, for other keys than this certificate has
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        ChatServer(tls=context) as server,
        pytest.raises(EngineLoadError, match=r"TLS with https.*fails") as caught,
    ):
        load(server.url)
    assert "http://" not in caught.value.remedy
