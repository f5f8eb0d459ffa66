from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cmif_server.engine.vllm_version as version_module
from cmif.errors import InputError
from cmif.wire.events import DoneEvent, TokenEvent
from cmif_server.engine.body import load_body
from cmif_server.engine.completions import AnswerReader
from cmif_server.engine.vllm_serve import arguments, settings
from cmif_server.engine.vllm_version import require_vllm

from .conftest import Tiny
from .test_guard import END, chunk


@pytest.mark.parametrize("installed", ["0.33.0", "0.33.1+cpu", "1.0", "0.40.2+cu130"])
def test_builds_that_serve(installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMIF_VLLM_TEST_BUILD", raising=False)
    monkeypatch.setattr(version_module, "version", lambda _: installed)
    assert require_vllm() == installed


@pytest.mark.parametrize(
    ("installed", "variable"),
    [("0.32.0", "1"), ("0.32.0+cu130", "1"), ("0.32.0+cpu", ""), ("0.32.0+cpu", "yes"), ("0.33.0rc1", "1")],
)
def test_builds_that_do_not(installed: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMIF_VLLM_TEST_BUILD", variable)
    monkeypatch.setattr(version_module, "version", lambda _: installed)
    with pytest.raises(InputError, match=r"vllm>=0\.33"):
        require_vllm()


def test_an_old_cpu_build_serves_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMIF_VLLM_TEST_BUILD", "1")
    monkeypatch.setattr(version_module, "version", lambda _: "0.32.0+cpu")
    assert require_vllm() == "0.32.0+cpu"


def test_no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version_module, "version", missing)
    with pytest.raises(InputError, match="not installed"):
        require_vllm()


def after(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_command_on_gpus(llama: Tiny) -> None:
    body = load_body(llama.path)
    command = arguments(body, "0.33.0", "::1", 8001, extra=["--tensor-parallel-size", "4"])
    assert command[:2] == ["serve", str(llama.path)]
    assert after(command, "--middleware") == "cmif_server.engine.guard.Guard"
    assert after(command, "--max-model-len") == str(body.info.context)
    assert (after(command, "--host"), after(command, "--port")) == ("::1", "8001")
    assert {"--enable-prompt-embeds", "--skip-tokenizer-init", "--disable-uvicorn-access-log"} < set(command)
    assert command[-2:] == ["--tensor-parallel-size", "4"]
    assert not {"--dtype", "--enforce-eager"} & set(command)


def test_the_command_on_a_cpu(llama: Tiny) -> None:
    body = load_body(llama.path)
    command = arguments(body, "0.33.0+cpu", "127.0.0.1", 8001)
    assert after(command, "--dtype") == "float32"
    assert "--enforce-eager" in command
    own = arguments(
        body, "0.33.0+cpu", "127.0.0.1", 8001, extra=["--dtype=bfloat16", "--max_model_len", "64"]
    )
    assert not {"--dtype", "--max-model-len"} & set(own)


def test_the_certificate(llama: Tiny) -> None:
    command = arguments(load_body(llama.path), "0.33.0", "0.0.0.0", 1, llama.path / "c", llama.path / "k")
    assert after(command, "--ssl-certfile") == str(llama.path / "c")
    assert after(command, "--ssl-keyfile") == str(llama.path / "k")


@pytest.mark.parametrize(
    "extra", ["--grpc", "--middleware", "--middleware=x.Y", "--config=c", "--trust_remote_code"]
)
def test_arguments_that_would_undo_the_guard(llama: Tiny, extra: str) -> None:
    with pytest.raises(InputError, match="may not be started"):
        arguments(load_body(llama.path), "0.33.0", "127.0.0.1", 1, extra=[extra, "x"])


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_USE_RUST_FRONTEND", "1")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    on_gpu, on_cpu = settings("0.33.0"), settings("0.33.0+cpu")
    assert "VLLM_USE_RUST_FRONTEND" not in on_gpu
    assert on_gpu["VLLM_NO_USAGE_STATS"] == "1"
    assert int(on_gpu["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"]) > 15
    assert "TORCH_COMPILE_DISABLE" not in on_gpu
    assert (on_cpu["VLLM_CPU_KVCACHE_SPACE"], on_cpu["TORCH_COMPILE_DISABLE"]) == ("1", "1")


@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_an_answer_reads_the_same_however_it_is_cut(llama: Tiny, cuts: list[int]) -> None:
    data = b": still here\n\n" + chunk([]) + chunk([7, 8]) + chunk([9], "length") + END
    reader = AnswerReader(llama.frame([5], max_tokens=3))
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    events = [e for a, b in zip(edges, edges[1:], strict=False) for e in reader.feed(data[a:b])]
    *tokens, done = events
    assert tokens == [TokenEvent((7, 8)), TokenEvent((9,))]
    assert isinstance(done, DoneEvent)
    assert (done.reason, done.prompt_tokens, done.completion_tokens) == ("length", 1, 3)
