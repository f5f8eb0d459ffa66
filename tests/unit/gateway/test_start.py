from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.messages import Grant
from cmif.attest.prove.exchange import Lease, Released
from cmif.attest.prove.route import attestation_route
from cmif.attest.sealed import SealedHeader
from cmif.attest.simulated import LABEL
from cmif.attest.subject import Subject
from cmif.errors import AttestationError, GrantLimitError, InputError
from cmif.gateway import start as module
from cmif.gateway.start import AttestedGateway, Terms, Unsealed, unseal
from cmif_server.provider.seal import seal
from tests.unit.attest.bundle import make_bundle

PIN = "ab" * 32


class Producer:
    kind = TeeKind.SNP

    def produce(self, data: bytes) -> Evidence:
        return Evidence(self.kind, data)


@pytest.fixture
def terms(tmp_path: Path) -> Terms:
    seal(make_bundle(tmp_path / "client"), tmp_path / "sealed", bytes(32))
    return Terms(
        "http://127.0.0.1:1", bytes(32), tmp_path / "sealed", "https://127.0.0.1:1", bytes(48), Producer()
    )


class Now:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def grant(**changes: Any) -> Grant:
    return replace(Grant("b1" * 32, 1, 0, 600, (PIN,), 2.0, 8, 0), **changes)


@asynccontextmanager
async def running(gateway: AttestedGateway) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway's lifespan, and a client of it."""
    events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[Any] = asyncio.Queue()
    await events.put({"type": "lifespan.startup"})
    task = asyncio.create_task(gateway({"type": "lifespan"}, events.get, sent.put))
    assert (await sent.get())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=gateway), base_url="http://gateway"
    ) as client:
        yield client
    await events.put({"type": "lifespan.shutdown"})
    await task


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


def serving(
    _unsealed: Unsealed,
    ready: Callable[[], tuple[str, ...]],
    routes: tuple[Route, ...],
    admit: Callable[[], None],
) -> Starlette:
    async def answer(request: Request) -> Response:
        if request.method == "POST":
            if "authorization" not in request.headers:
                return Response(status_code=401)
            try:
                admit()
            except GrantLimitError:
                return Response(status_code=429)
        reasons = list(ready())
        return JSONResponse({"reasons": reasons}, status_code=503 if reasons else 200)

    return Starlette(routes=[Route("/readyz", answer), Route("/v1/chat", answer, methods=["POST"]), *routes])


def released(monkeypatch: pytest.MonkeyPatch, clock: Now, **changes: Any) -> list[int]:
    """Let every exchange succeed at once; the list counts them."""
    asked: list[int] = []

    async def obtain(*_: object) -> Released:
        asked.append(1)
        terms = grant(**changes)
        return Released(bytes(32), Lease(clock.now + terms.lease_s, terms, clock))

    monkeypatch.setattr(module, "obtain", obtain)
    monkeypatch.setattr(module, "unseal", lambda *_: None)
    return asked


async def test_until_the_exchange_succeeds_nothing_but_status_is_answered(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> Released:
        raise AttestationError(
            "The measurement is revoked.", check="revoked", expected="not on the deny-list", seen="11"
        )

    monkeypatch.setattr(module, "obtain", refuse)
    gateway = AttestedGateway(terms, serving)
    async with running(gateway) as client:
        await until(lambda: gateway.readiness().reasons == ("revoked: The measurement is revoked.",))
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (
            503, {"ready": False, "reasons": ["revoked: The measurement is revoked."]},
        )  # fmt: skip
        assert (await client.get("/healthz")).text == "ok"
        chat = await client.post("/v1/chat/completions", json={})
        assert (chat.status_code, chat.json()["error"]["code"]) == (503, "not_ready")


async def test_a_lease_that_runs_out_ends_readiness_and_a_new_one_restores_it(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Now()
    released(monkeypatch, clock)
    gateway = AttestedGateway(terms, serving)
    async with running(gateway) as client:
        await until(lambda: gateway.readiness().ready)
        assert (await client.get("/readyz")).status_code == 200
        clock.now = 600.0
        assert gateway.readiness().reasons == ("lease: The provider's lease has run out.",)
        assert (await client.get("/readyz")).status_code == 503


async def test_a_lease_is_renewed_before_it_ends(terms: Terms, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = released(monkeypatch, Now(), lease_s=2)
    gateway = AttestedGateway(terms, serving)
    async with running(gateway):
        await until(lambda: len(asked) >= 2)
        assert gateway.readiness().ready


async def test_serving_ends_with_the_applications_own_lifespan(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `gateway/app.py` writes it: what follows the yield runs when the gateway stops."""
    log: list[str] = []

    def build(*_: object) -> Starlette:
        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            log.append("open")
            yield
            log.append("close")

        return Starlette(lifespan=lifespan)

    released(monkeypatch, Now())
    gateway = AttestedGateway(terms, build)
    async with running(gateway):
        await until(lambda: gateway.readiness().ready)
        assert log == ["open"]
    assert log == ["open", "close"]


async def test_the_newest_grant_says_which_engines_there_are(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = [("aa" * 32,), ("bb" * 32, "cc" * 32)]

    async def obtain(*_: object) -> Released:
        given = grant(lease_s=2, engine_spki=pins.pop(0) if len(pins) > 1 else pins[0])
        return Released(bytes(32), Lease(2.0, given, Now()))

    kept: list[Any] = []
    monkeypatch.setattr(module, "obtain", obtain)
    monkeypatch.setattr(module, "unseal", lambda *_: None)
    monkeypatch.setattr(module, "pinned_context", lambda allowed: kept.append(allowed))
    gateway = AttestedGateway(terms, serving)
    async with running(gateway):
        await until(lambda: gateway.readiness().ready)
        assert set(kept[0]) == {"aa" * 32}
        await until(lambda: set(kept[0]) == {"bb" * 32, "cc" * 32})


async def test_a_grant_that_names_no_engine_serves_only_where_the_engine_shows_evidence(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    reason = "engine_spki: The provider's grant names no engine, and this gateway has no --engine-policy."
    released(monkeypatch, Now(), engine_spki=())
    monkeypatch.setattr(module, "unseal", lambda *_: opened.append(1))
    gateway = AttestedGateway(terms, serving)
    async with running(gateway):
        await until(lambda: gateway.readiness().reasons == (reason,))
    assert opened == []
    gateway = AttestedGateway(replace(terms, attested=True), serving)
    async with running(gateway):
        await until(lambda: gateway.readiness().ready)
    assert opened == [1]


async def test_a_renewed_grant_that_names_no_engine_any_more_closes_the_gateway(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins: list[tuple[str, ...]] = [(PIN,), ()]

    async def obtain(*_: object) -> Released:
        given = grant(lease_s=2, engine_spki=pins.pop(0) if len(pins) > 1 else pins[0])
        return Released(bytes(32), Lease(2.0, given, Now()))

    monkeypatch.setattr(module, "obtain", obtain)
    monkeypatch.setattr(module, "unseal", lambda *_: None)
    gateway = AttestedGateway(terms, serving)
    async with running(gateway) as client:
        await until(lambda: gateway.readiness().ready)
        await until(lambda: gateway.readiness().reasons[:1] != ())
        assert gateway.readiness().reasons[0].startswith("engine_spki: The provider's grant names no engine")
        assert (await client.get("/readyz")).status_code == 503


def test_the_provider_s_time_is_its_grant_s_and_what_has_passed_since() -> None:
    clock = Now()
    clock.now = 50.0
    lease = Lease(50.0 + 600, grant(issued=1_000_000), clock)
    assert lease.now().timestamp() == 1_000_000
    clock.now += 700  # also of a lease that has run out: a clock goes on
    assert lease.now().timestamp() == 1_000_700


async def test_the_grants_bound_counts_requests_that_are_authenticated(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    released(monkeypatch, Now(), requests_per_minute=2)
    gateway = AttestedGateway(terms, serving)
    async with running(gateway) as client:
        await until(lambda: gateway.readiness().ready)
        assert [(await client.post("/v1/chat")).status_code for _ in range(3)] == [401, 401, 401]
        key = {"authorization": "Bearer k"}
        asked = [(await client.post("/v1/chat", headers=key)).status_code for _ in range(3)]
        assert asked == [200, 200, 429]
        assert (await client.get("/readyz")).status_code == 200


async def test_a_gateway_that_cannot_be_built_stays_closed_and_says_so(
    terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Starlette:
        raise ValueError("text that must not leave")

    released(monkeypatch, Now())
    gateway = AttestedGateway(terms, broken)
    async with running(gateway) as client:
        await until(lambda: gateway.readiness().reasons == ("internal: ValueError",))
        assert "text" not in (await client.get("/readyz")).text


async def test_an_engine_without_tls_is_refused(terms: Terms) -> None:
    with pytest.raises(InputError, match="https"):
        AttestedGateway(replace(terms, engine="http://127.0.0.1:1"), serving)


async def test_a_provider_that_is_away_or_talks_nonsense_is_a_reason_not_a_crash(terms: Terms) -> None:
    gateway = AttestedGateway(terms, serving)
    async with running(gateway):
        await until(lambda: gateway.readiness().reasons == ("provider: The provider does not answer.",))


async def test_attestation_answers_a_nonce_and_nothing_else() -> None:
    class Broken(Producer):
        def produce(self, data: bytes) -> Evidence:
            raise AttestationError("The TEE gave no evidence.", check="produce")

    class Simulated(Producer):
        kind = TeeKind.SIMULATED

    subject = Subject("00" * 48, "b1" * 32)
    nonce = bytes(range(32))
    for producer, status in ((Producer(), 200), (Broken(), 503), (Simulated(), 200)):
        app = Starlette(routes=[attestation_route(producer, subject)])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://gateway"
        ) as client:
            told = await client.get("/attestation", params={"nonce": nonce.hex()})
            assert told.status_code == status
            assert (told.headers.get("x-cmif-tee") == LABEL) == isinstance(producer, Simulated)
            for bad in ({}, {"nonce": "00"}, {"nonce": "zz"}):
                assert (await client.get("/attestation", params=bad)).status_code == 400


def test_a_table_weaker_than_the_grant_allows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(make_bundle(tmp_path / "client"), tmp_path / "sealed", bytes(32))
    bundle = SealedHeader.read(tmp_path / "sealed").bundle
    table = SimpleNamespace(eps_in=1.5, k=16)
    monkeypatch.setattr(module.Bundle, "load", lambda *_: SimpleNamespace(table=table))
    for changes, accepted in (({}, True), ({"max_eps_in": 1.4}, False), ({"min_k": 17}, False)):
        given = Released(bytes(32), Lease(1e12, grant(bundle=bundle, **changes)))
        if accepted:
            assert unseal(tmp_path / "sealed", given).table is table
        else:
            with pytest.raises(AttestationError) as refusal:
                unseal(tmp_path / "sealed", given)
            assert refusal.value.check == "mechanism"
