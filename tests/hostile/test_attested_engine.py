"""An engine that is told originals while its evidence holds: whatever its host does, none leaves without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from cmif.attest.evidence import GpuEvidence, TeeKind
from cmif.attest.spki import pinned_context
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.gateway.bundles import open_bundle
from cmif.gateway.engine_attestation import LIFETIME_S, Accepted
from cmif.gateway.selfsigned import enclave_tls
from cmif.gateway.store import SqliteStore
from tests.hostile.attested import Attested, InTheMiddle, Machine, gateway, plain
from tests.unit.attest.fake_nvattest import gpu, program, table

TYPED = "Patient: Eleanor Whitfield was seen for diabetes."
ASKED = [{"role": "user", "content": TYPED}]


@pytest.fixture
def machine(wide_split: Path) -> Machine:
    return Machine(wide_split, lambda seen: "Whitfield is noted and will be seen again in the spring.")


async def until(condition: Callable[[], bool], of: Attested) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def held(of: Attested) -> None:
    await until(lambda: not of.attestation.reasons(), of)


async def closed(of: Attested, check: str, machine: Machine) -> None:
    """The lane is closed for this reason, says so, and nothing reaches an engine."""
    await until(lambda: of.attestation.reasons()[:1] != () and of.attestation.reasons()[0].startswith(check), of)
    before = len(machine.engine.seen)
    for stream in (False, True):
        answer = await of.chat(ASKED, stream=stream)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "not_ready"
        assert check in answer.json()["error"]["message"]
    told = await of.ready()
    assert (told["ready"], told["lane"]) == (False, "attested-engine")
    assert any(reason.startswith(check) for reason in told["reasons"])
    assert "engine_tee" not in told
    assert len(machine.engine.seen) == before


async def test_an_accepted_engine_is_told_what_the_policy_relaxes_and_every_answer_says_so(machine: Machine) -> None:
    with machine.up() as url:
        async with gateway(machine, url) as of:
            await held(of)
            answer = await of.chat(ASKED)
            assert answer.status_code == 200, answer.text
            assert machine.engine.seen[-1].messages()[0] == ("user", TYPED)
            assert answer.headers["x-cmif-lane"] == "attested-engine"
            assert answer.headers["x-cmif-engine-tee"] == "snp"
            assert (answer.headers["x-cmif-mode"], answer.headers["x-cmif-epsilon"]) == ("none", "0")
            assert (await of.ready())["engine_tee"] == "snp"


async def test_an_attested_engine_is_told_no_more_without_a_word_in_the_policy(machine: Machine) -> None:
    with machine.up() as url:
        async with gateway(machine, url, attested=None) as of:
            await held(of)
            assert (await of.chat(ASKED)).status_code == 200
            assert "Whitfield" not in machine.engine.seen[-1].prompt


async def test_tdx_evidence_is_appraised_the_same_way(wide_split: Path) -> None:
    pytest.importorskip("dcap_qvl")
    machine = Machine(wide_split, lambda seen: "Yes.", TeeKind.TDX)
    with machine.up() as url:
        async with gateway(machine, url) as of:
            await held(of)
            assert (await of.chat(ASKED)).headers["x-cmif-engine-tee"] == "tdx"


@pytest.mark.parametrize(
    ("check", "subject"),
    [("config_digest", {"config": "00" * 48}), ("bundle", {"bundle": "00" * 32}), ("tls_spki", {"tls_spki": "00" * 32})],
)
async def test_a_statement_about_something_else_is_refused(
    machine: Machine, check: str, subject: dict[str, str]
) -> None:
    with machine.up(**subject) as url:
        async with gateway(machine, url) as of:
            await closed(of, check, machine)


async def test_an_engine_without_evidence_is_not_spoken_to(machine: Machine) -> None:
    with machine.up(evidence=False) as url:
        async with gateway(machine, url) as of:
            await closed(of, "statement", machine)


async def test_an_engine_whose_gpus_nvidias_verifier_does_not_accept_is_sent_nothing(
    machine: Machine, tmp_path: Path
) -> None:
    """A host can show GPUs that are none, of another question, of another version, or none at all."""
    verifier = program(tmp_path)
    machine.policy = replace(machine.policy, gpu=AppraisalPolicy.parse(table(verifier)).gpu)
    none: tuple[GpuEvidence, ...] = ()
    for gpus, check in (
        (None, "gpu:"),
        (lambda nonce: none, "gpu:"),
        (lambda nonce: (gpu(nonce), gpu(bytes(32))), "gpu_nonce:"),
        (lambda nonce: (gpu(nonce), replace(gpu(nonce), report=gpu(nonce).report[:-1])), "gpu_verifier:"),
        (lambda nonce: (gpu(nonce), replace(gpu(nonce), driver="535.00")), "gpu_driver:"),
    ):
        with machine.up(gpus=gpus) as url:
            async with gateway(machine, url) as of:
                await closed(of, check, machine)
    with machine.up(gpus=lambda nonce: (gpu(nonce), gpu(nonce))) as url:
        async with gateway(machine, url) as of:
            await held(of)
            verifier.unlink()
            of.attestation.doubt(of.attestation.require())
            await closed(of, "gpu_verifier:", machine)


async def test_evidence_of_another_vendor_is_refused(machine: Machine, wide_split: Path) -> None:
    other = Machine(wide_split, machine.script)
    with other.up() as url:
        async with gateway(machine, url) as of:
            await until(lambda: not of.attestation.reasons()[0].startswith("attestation"), of)
            await closed(of, of.attestation.reasons()[0].split(":")[0], other)


async def test_a_host_that_ends_tls_itself_and_passes_the_questions_on_gets_nothing(machine: Machine) -> None:
    with machine.up() as url:
        middle = InTheMiddle(url)
        with middle.up() as elsewhere:
            async with gateway(machine, elsewhere) as of:
                await closed(of, "tls_spki", machine)
                assert b"".join(middle.got) == b""


async def test_an_old_statement_for_the_same_key_is_refused(machine: Machine) -> None:
    """Even who has stolen the engine's TLS key needs its TEE for every question."""
    tls, spki = enclave_tls(("127.0.0.1",))
    with machine.up(tls_spki=spki) as url:
        async with httpx.AsyncClient(verify=False) as client:
            old = (await client.get(f"{url}/attestation", params={"nonce": "11" * 32})).json()
        middle = InTheMiddle(url, old)
        with middle.up(tls=tls) as elsewhere:
            async with gateway(machine, elsewhere) as of:
                await closed(of, "report_data", machine)
                assert middle.got == []


def history(answer: httpx.Response) -> list[dict[str, Any]]:
    return [*ASKED, answer.json()["choices"][0]["message"], {"role": "user", "content": "And now?"}]


async def test_a_host_that_swaps_the_engine_within_a_conversation_is_sent_nothing(machine: Machine) -> None:
    with ExitStack() as first:
        url = first.enter_context(machine.up())
        async with gateway(machine, url) as of:
            await held(of)
            further = history(await of.chat(ASKED))
            await asyncio.to_thread(first.close)
            middle = InTheMiddle("https://127.0.0.1:1", {"v": 1})
            with middle.up(port(url)):
                answer = await of.chat(further)
                assert answer.status_code == 503
                assert "tls_spki" in answer.json()["error"]["message"]
                assert middle.got == []
                await closed(of, "tls_spki", machine)
                assert middle.got == []


async def test_an_engine_that_restarts_with_a_key_of_its_own_is_asked_and_the_conversation_goes_on(
    machine: Machine,
) -> None:
    with ExitStack() as first:
        url = first.enter_context(machine.up())
        async with gateway(machine, url) as of:
            await held(of)
            further, before = history(await of.chat(ASKED)), of.attestation.require().spki
            await asyncio.to_thread(first.close)
            with machine.up(port(url)):
                assert (await of.chat(further)).status_code == 503
                await held(of)
                assert of.attestation.require().spki != before
                assert (await of.chat(further)).status_code == 200
                said = [text for role, text in machine.engine.seen[-1].messages() if role != "system"]
                assert said[:2] == [TYPED, machine.script(machine.engine.seen[-1])]


async def test_an_engine_that_loses_its_evidence_is_sent_nothing_more_over_the_connection_it_has(
    machine: Machine,
) -> None:
    """Its platform is revoked while it serves: the key is the same, the connection is open."""
    with machine.up() as url:
        async with gateway(machine, url) as of:
            await held(of)
            further = history(await of.chat(ASKED))
            of.attestation._policy = replace(machine.policy, rules=())
            of.attestation._wake.set()
            await until(lambda: of.attestation.reasons() != (), of)
            assert (await of.chat(further)).status_code == 503
            await closed(of, "policy", machine)


async def test_evidence_that_is_lost_while_a_request_is_prepared_closes_that_request(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with machine.up() as url:
        async with gateway(machine, url) as of:
            await held(of)
            prepare, loop = Pipeline.prepare, asyncio.get_running_loop()

            async def lose() -> None:
                of.attestation.doubt(of.attestation.require())

            def then_lost(self: Pipeline, *arguments: Any, **named: Any) -> Prepared:
                prepared = prepare(self, *arguments, **named)
                assert "Whitfield" in prepared.sent_text
                asyncio.run_coroutine_threadsafe(lose(), loop).result(60)
                return prepared

            monkeypatch.setattr(Pipeline, "prepare", then_lost)
            for stream in (False, True):
                await held(of)
                assert (await of.chat(ASKED, stream=stream)).status_code == 503
            assert machine.engine.seen == []


async def test_a_statement_grows_old_and_is_asked_for_anew(machine: Machine) -> None:
    """An engine that is away keeps its statement until then, and no longer."""
    now = [1000.0]
    with ExitStack() as first:
        url = first.enter_context(machine.up())
        async with gateway(machine, url, clock=lambda: now[0]) as of:
            await held(of)
            await asyncio.to_thread(first.close)
            asked = asyncio.Event()
            ask = of.attestation.ask

            async def noted() -> Accepted:
                asked.set()
                return await ask()

            of.attestation.ask = noted  # type: ignore[method-assign]
            of.attestation._wake.set()
            await asyncio.wait_for(asked.wait(), 60)
            now[0] += LIFETIME_S - 1
            assert of.attestation.reasons() == ()
            now[0] += 1
            (reason,) = of.attestation.reasons()
            assert reason == "attestation: the engine's statement is older than 600 s"
            assert (await of.chat(ASKED)).status_code == 503
            with machine.up(port(url)):
                await held(of)
                assert (await of.chat(ASKED)).status_code == 200


async def test_what_an_attested_engine_was_told_never_reaches_another_one(machine: Machine) -> None:
    """The operator moves to an engine without evidence, on the same state."""
    store = SqliteStore(":memory:")
    with machine.up() as url:
        async with gateway(machine, url, store) as of:
            await held(of)
            further = history(await of.chat(ASKED))
            spki = of.attestation.require().spki
        asked = len(machine.engine.seen)
        async with plain(machine, url, store, pinned_context((spki,))) as client:
            model = open_bundle(machine.split / "client").manifest.name
            refused = await client.post("/v1/chat/completions", json={"model": model, "messages": further})
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "lane")
            assert len(machine.engine.seen) == asked
            typed = [message for message in further if message["role"] == "user"]
            answer = await client.post("/v1/chat/completions", json={"model": model, "messages": typed})
            assert (answer.status_code, answer.headers["x-cmif-lane"]) == (200, "engine")
            assert "x-cmif-engine-tee" not in answer.headers
            assert "Whitfield" not in machine.engine.seen[-1].prompt


def port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
