"""`cmif serve --backend vllm`: become a `vllm serve` behind the guard, on one GPU or many."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cmif.errors import InputError
from cmif_server.engine.attested import EngineTee
from cmif_server.engine.body import Body, load_body
from cmif_server.engine.guard import READY, TEE
from cmif_server.engine.vllm_version import is_cpu_build, require_vllm

_REFUSED = {
    "--grpc": "its gRPC server knows no middleware, so the guard would not be there",
    "--middleware": "the guard must be the outermost one",
    "--config": "what it sets cannot be seen here",
    "--model": "the model is the server body",
    "--trust-remote-code": "a server body holds no code",
}


def serve(
    body: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    extra: Sequence[str] = (),
    tee: EngineTee | None = None,
) -> NoReturn:
    """Verify ``body`` and replace this process by `vllm serve` with the guard. ``extra`` goes to vLLM as it is, such as
    ``("--tensor-parallel-size", "4")``. Port 0 takes a free one. ``tee``: where this runs, which the guard then states;
    ``certificate`` and ``key`` are then of the key made here.

    vLLM logs to standard error; standard output gets the one JSON line that `app.serve_engine` prints, when the server
    answers (with several API server processes: none). SIGTERM ends it and its children; SIGKILL orphans them. Raises
    :class:`InputError`, :class:`BundleError` or :class:`ArchitectureError` before anything starts.
    """
    installed = require_vllm()
    verified = load_body(body)
    port = port or _free_port(host)
    command = arguments(verified, installed, host, port, certificate, key, extra)
    scheme, name = ("https" if certificate else "http"), (f"[{host}]" if ":" in host else host)
    # vLLM and what it imports write to standard output; the ready line must come first there, and alone.
    sys.stdout.flush()
    out = os.dup(1)
    os.dup2(2, 1)
    os.set_inheritable(out, True)
    environment = {**settings(installed), READY: f"{os.getpid()} {out} {scheme}://{name}:{port}"}
    environment.pop(TEE, None)
    if tee is not None:
        environment[TEE] = tee.text()
    run = [sys.executable, "-m", "vllm.entrypoints.cli.main", *command]
    os.execve(sys.executable, run, environment)  # noqa: S606


def arguments(
    body: Body,
    installed: str,
    host: str,
    port: int,
    certificate: Path | None = None,
    key: Path | None = None,
    extra: Sequence[str] = (),
) -> list[str]:
    """The arguments of `vllm`. Raises :class:`InputError` for an ``extra`` one that would undo the guard."""
    given = {a.partition("=")[0].replace("_", "-") for a in extra if a.startswith("--")}
    for name in given & _REFUSED.keys():
        raise InputError(f"vLLM may not be started with {name}: {_REFUSED[name]}.")
    defaults = {"--max-model-len": str(body.info.context), "--served-model-name": "cmif"}
    if is_cpu_build(installed):
        defaults["--dtype"] = "float32"  # so that greedy output is the same under every placement
    command = [
        "serve", str(body.path), "--middleware", "cmif_server.engine.guard.Guard", "--enable-prompt-embeds",
        "--skip-tokenizer-init", "--generation-config", "vllm", "--disable-uvicorn-access-log",
        "--host", host, "--port", str(port),
    ]  # fmt: skip
    for name, value in defaults.items():
        if name not in given:
            command += [name, value]
    if is_cpu_build(installed) and "--enforce-eager" not in given:
        command.append("--enforce-eager")
    if certificate is not None and key is not None:
        command += ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]
    return [*command, *extra]


def settings(installed: str) -> dict[str, str]:
    """The environment of `vllm`: ours, without the Rust front end (it knows no middleware either) and without reports
    of use to vLLM's makers. Unless told otherwise, it keeps an idle connection for longer than gateways do, so that a
    request never meets one that is being closed, and a CPU build takes 4 GiB for its cache and compiles nothing."""
    environment = {k: v for k, v in os.environ.items() if k != "VLLM_USE_RUST_FRONTEND"}
    environment |= {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_STREAM": "ext://sys.stderr"}
    defaults = {"VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "75"}
    if is_cpu_build(installed):
        defaults |= {"VLLM_CPU_KVCACHE_SPACE": "4", "TORCH_COMPILE_DISABLE": "1"}
    return {**defaults, **environment}


def _free_port(host: str) -> int:
    """Another process may take it before vLLM does; vLLM then ends with an error of its own."""
    try:
        with socket.create_server(
            (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ) as probe:
            port: int = probe.getsockname()[1]
            return port
    except OSError:
        raise InputError(f"Cannot listen on {host}.", hint="Choose another --host.") from None
