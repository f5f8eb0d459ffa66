"""The engine over vLLM's AsyncLLM in this process: no JSON, no base64, no `torch.load`; rows go in as a tensor.

For where an upload is worth saving milliseconds. It uses vLLM's Python interface, which changes more often than its
HTTP interface does; the ordinary deployment is `guard.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from cmif.errors import SchemaError
from cmif.listen import tls_from_files
from cmif.types import Sampling
from cmif.wire.events import TokenLogprobs
from cmif.wire.frame import Frame, IdsFrame
from cmif_server.engine.app import serve_engine
from cmif_server.engine.body import load_body
from cmif_server.engine.engine import EngineInfo
from cmif_server.engine.streams import Put, Streams, TaskStream
from cmif_server.engine.vllm_requests import Outputs, cache_salt, prompt_tensor
from cmif_server.engine.vllm_version import is_cpu_build, require_vllm

_LOWEST = -9999.0  # stands for a log-probability of minus infinity, which JSON does not have


class VllmEngine:
    """:class:`~cmif_server.engine.engine.Engine` over an AsyncLLM, which it owns. vLLM starts processes: not
    fork-safe."""

    def __init__(self, llm: Any, info: EngineInfo) -> None:
        self.info = replace(info, context=min(info.context, llm.model_config.max_model_len))
        self._llm = llm
        self._streams = Streams(llm.vllm_config.scheduler_config.max_num_seqs)

    @classmethod
    def load(cls, body: Path, **options: Any) -> VllmEngine:
        """The engine of a server body, its files verified first. ``options`` are fields of vLLM's AsyncEngineArgs,
        such as ``tensor_parallel_size``. Raises :class:`InputError` for a vLLM that may not serve,
        :class:`BundleError`, :class:`ArchitectureError`."""
        installed = require_vllm()
        verified = load_body(body)
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        settings: dict[str, Any] = {
            "model": str(verified.path), "enable_prompt_embeds": True, "skip_tokenizer_init": True,
            "generation_config": "vllm", "max_model_len": verified.info.context,
        }  # fmt: skip
        if is_cpu_build(installed):
            settings |= {"dtype": "float32", "enforce_eager": True}
        llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**{**settings, **options}))
        return cls(llm, verified.info)

    def hold(self, schema: str) -> NoReturn:
        """As :meth:`cmif_server.engine.engine.Engine.hold`: this one cannot."""
        raise SchemaError("This engine cannot hold an answer to a schema.")

    def generate(self, request: Frame | IdsFrame, held: None = None) -> TaskStream:
        """As :meth:`cmif_server.engine.engine.Engine.generate`."""
        return self._streams.start(lambda put: self._run(request, put))

    async def close(self) -> None:
        """As :meth:`cmif_server.engine.engine.Engine.close`. Ends vLLM's processes."""
        await self._streams.close()
        await asyncio.to_thread(self._llm.shutdown)

    async def _run(self, request: Frame | IdsFrame, put: Put) -> None:
        prompt: dict[str, Any] = {"cache_salt": cache_salt(request)}
        if isinstance(request, IdsFrame):
            prompt["prompt_token_ids"] = request.ids.tolist()
        else:
            prompt["prompt_embeds"] = (await asyncio.to_thread(prompt_tensor, request)).to(
                self._llm.model_config.dtype
            )
        outputs = Outputs(request)
        answers = self._llm.generate(prompt, _sampling_params(request.sampling), secrets.token_hex(16))
        # Closed here and not by the garbage collector, so that a cancelled request leaves vLLM at once.
        async with contextlib.aclosing(answers):
            async for answer in answers:
                (output,) = answer.outputs
                logprobs = _logprobs(output, request.sampling.logprobs)
                for event in outputs.add(list(output.token_ids), logprobs, output.finish_reason):
                    put(event)


def _sampling_params(s: Sampling) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        max_tokens=s.max_tokens, temperature=s.temperature, top_p=s.top_p, seed=s.seed,
        stop_token_ids=list(s.stop_ids), ignore_eos=True, frequency_penalty=s.frequency_penalty,
        presence_penalty=s.presence_penalty, logprobs=s.logprobs or None, detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )  # fmt: skip


def _logprobs(output: Any, top: int) -> Sequence[TokenLogprobs]:
    if not top:
        return ()
    found = []
    for token, candidates in zip(output.token_ids, output.logprobs, strict=True):
        values = {i: max(float(lp.logprob), _LOWEST) for i, lp in candidates.items()}
        ranked = sorted(values.items(), key=lambda pair: -pair[1])
        found.append(TokenLogprobs(values[token], tuple(ranked[:top])))
    return found


def serve_in_process(
    body: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    **options: Any,
) -> None:
    """Serve ``body`` by :class:`VllmEngine` until SIGINT or SIGTERM, as `app.serve` does. ``options``: see
    :meth:`VllmEngine.load`."""
    serve_engine(
        lambda: VllmEngine.load(body, **options), host=host, port=port, tls=tls_from_files(certificate, key)
    )
