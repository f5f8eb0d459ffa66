"""Gateway and engine, each in a TEE, and a provider between: nothing is unsealed or sent before all of it holds.

Over real sockets and a forged processor vendor, from the gateway's settings on: the release service, an attested start,
and the scripted engine that shows evidence of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from cmif.attest.messages import Grant
from cmif.attest.prove.exchange import Lease
from cmif.attest.sealed import SealedHeader
from cmif.attest.verify import appraise
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.enclave.pipeline import Pipeline
from cmif.errors import InputError
from cmif.gateway import engine_attestation, serving, start
from cmif.gateway.config import GatewayConfig, parse
from cmif.gateway.start import AttestedGateway
from cmif.gateway.store import SqliteStore
from cmif.gateway.tenants import Anyone
from cmif_server.provider.record import Record
from cmif_server.provider.release import DenyList, Offer, Releaser, Rules, signing_key
from cmif_server.provider.release_app import release_app
from cmif_server.provider.seal import seal
from tests.hostile.attested import InTheMiddle, Machine
from tests.hostile.attested import serving as served
from tests.unit.gateway.test_start import running

TYPED = "Patient: Eleanor Whitfield was seen for diabetes."
KEY = bytes(range(32))


@dataclass
class Site:
    """The provider, and what the gateway's host holds: the sealed bundle and the measured files. ``asked`` counts how
    often a bundle was unsealed and a prompt prepared."""

    folder: Path
    machine: Machine
    asked: dict[str, int] = field(default_factory=lambda: {"unseal": 0, "prepare": 0})

    def __post_init__(self) -> None:
        seal(self.machine.split / "client", self.folder / "sealed", KEY, 1)
        self.signing_key = signing_key(self.folder / "provider.key")
        listed = f'version = 1\nconfig_digests = ["{self.machine.config}"]\n'
        self.write(self.machine.rules.replace("version = 1\n", listed))
        (self.folder / "privacy.toml").write_text('level = "sensitive"\nattested = "off"\n', "utf-8")
        self.consented = self.config("https://127.0.0.1:1").protection.digest().hex()

    def write(self, engine_policy: str) -> None:
        """The engine's policy, as it lies on the gateway's host."""
        (self.folder / "engine.toml").write_text(engine_policy, "utf-8")

    def config(self, engine: str, provider: str = "http://127.0.0.1:1", **more: Any) -> GatewayConfig:
        files = {name: str(self.folder / file) for name, file in FILES.items()}
        given = {**files, "engine": engine, "provider": provider, "state": str(self.folder), "tee": "snp"}
        given |= {"host": "0.0.0.0", **more}  # on loopback the client's name for it would be foreign
        return parse({name: value for name, value in given.items() if value != ""})

    def releaser(self, *pins: str, lease_s: int = 600, digest: str = "") -> Releaser:
        """A provider that consents to the settings as they were at first, engine policy and all."""
        bundle = SealedHeader.read(self.folder / "sealed").bundle
        policy = replace(
            AppraisalPolicy.parse(self.machine.rules), config_digests=frozenset({digest or self.consented})
        )
        offer = Offer(KEY, Grant(bundle, 1, 0, lease_s, pins, 2.0, 1, 0))
        record = Record(self.folder / f"record-{time.monotonic_ns()}.jsonl")
        return Releaser(self.signing_key, {bundle: offer}, Rules(policy, roots=self.machine.roots), record, DenyList(None))

    @asynccontextmanager
    async def gateway(self, releaser: Releaser, engine: str, **more: Any) -> AsyncIterator[Sealed]:
        with served(release_app(releaser), None) as provider:
            config = self.config(engine, provider, **more)
            around = serving.Surroundings(SqliteStore(":memory:"), Anyone())
            app, _, _ = serving._attested(config, self.folder / "sealed", around)
            assert isinstance(app, AttestedGateway)
            async with running(app) as client:
                yield Sealed(client, app, self)


FILES = {"sealed": "sealed", "provider_key": "provider.key.pub", "policy": "privacy.toml", "engine_policy": "engine.toml"}


@dataclass
class Sealed:
    client: httpx.AsyncClient
    app: AttestedGateway
    site: Site

    async def chat(self, **more: Any) -> httpx.Response:
        body = {"model": "wide", "messages": [{"role": "user", "content": TYPED}], **more}
        models = (await self.client.get("/v1/models")).json()
        if "data" in models:
            body["model"] = models["data"][0]["id"]
        return await self.client.post("/v1/chat/completions", json=body)

    async def ready(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.client.get("/readyz")).json()
        return told

    async def held(self) -> None:
        async with asyncio.timeout(60):
            while not (await self.ready())["ready"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def closed(self, *checks: str, unsealed: bool) -> None:
        """The lane is closed for these reasons, which `/readyz` gives, and nothing is prepared or sent."""
        machine = self.site.machine
        async with asyncio.timeout(60):
            while not begin((await self.ready())["reasons"], checks):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        seen, prepared = len(machine.engine.seen), self.site.asked["prepare"]
        for stream in (False, True):
            answer = await self.chat(stream=stream)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
        assert (len(machine.engine.seen), self.site.asked["prepare"]) == (seen, prepared)
        assert (self.site.asked["unseal"] > 0) == unsealed


def begin(reasons: list[str], checks: tuple[str, ...]) -> bool:
    return len(reasons) == len(checks) and all(r.startswith(f"{c}:") for r, c in zip(reasons, checks, strict=True))


@pytest.fixture
def site(wide_split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(tmp_path, Machine(wide_split, lambda seen: "Whitfield is noted and will be seen in the spring."))
    monkeypatch.setattr(serving, "producer", lambda *_args, **_named: made.machine.producer)
    monkeypatch.setattr(appraise, "Roots", lambda: made.machine.roots)

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            made.asked[name] += 1
            return real(*arguments, **named)

        return call

    monkeypatch.setattr(start, "unseal", counted("unseal", start.unseal))
    monkeypatch.setattr(Pipeline, "prepare", counted("prepare", Pipeline.prepare))
    return made


async def test_an_engine_that_the_policy_accepts_is_told_what_it_relaxes_and_no_grant_names_it(site: Site) -> None:
    with site.machine.up() as url:
        async with site.gateway(site.releaser(), url) as of:
            await of.held()
            answer = await of.chat()
            assert answer.status_code == 200, answer.text
            assert site.machine.engine.seen[-1].messages()[0] == ("user", TYPED)
            assert (answer.headers["x-cmif-lane"], answer.headers["x-cmif-engine-tee"]) == ("attested-engine", "snp")
            assert answer.headers["x-cmif-mode"] == "none"


async def test_an_engine_without_evidence_is_sent_nothing(site: Site) -> None:
    with site.machine.up(evidence=False) as url:
        async with site.gateway(site.releaser(), url) as of:
            await of.closed("statement", unsealed=True)
            assert site.machine.engine.seen == []
            assert site.asked["prepare"] == 0  # at no level, so not at the relaxed one


@pytest.mark.parametrize("subject", [{"config": "00" * 48}, {"bundle": "00" * 32}, {"tls_spki": "00" * 32}])
async def test_a_statement_about_something_else_is_refused(site: Site, subject: dict[str, str]) -> None:
    (name,) = subject
    with site.machine.up(**subject) as url:
        async with site.gateway(site.releaser(), url) as of:
            await of.closed({"config": "config_digest"}.get(name, name), unsealed=True)


async def test_a_grant_that_lists_other_keys_holds_beside_the_policy_and_nothing_is_unsealed(site: Site) -> None:
    with site.machine.up() as url:
        async with site.gateway(site.releaser("00" * 32), url) as of:
            await of.closed("engine_spki", unsealed=False)


async def test_a_key_that_a_grant_lists_is_not_enough_without_evidence(site: Site) -> None:
    with site.machine.up(evidence=False) as url:
        async with site.gateway(site.releaser(await shown(url)), url) as of:
            await of.closed("statement", unsealed=True)


async def test_a_renewed_grant_that_lists_other_keys_closes_the_lane_and_its_open_connection(site: Site) -> None:
    with site.machine.up() as url:
        releaser = site.releaser(await shown(url), lease_s=2)
        async with site.gateway(releaser, url) as of:
            await of.held()
            assert (await of.chat()).status_code == 200
            ((bundle, offer),) = releaser._offers.items()
            releaser._offers = {bundle: replace(offer, terms=replace(offer.terms, engine_spki=("00" * 32,)))}
            await of.closed("engine_spki", unsealed=True)
            releaser._offers = {bundle: replace(offer, terms=replace(offer.terms, engine_spki=()))}
            await of.held()  # the evidence still holds, and the provider leaves the choice to it again


async def test_a_policy_for_the_engine_that_was_changed_on_the_host_gets_no_bundle(site: Site) -> None:
    """The host adds its own engine's rule, or only a comment: the provider consented to other bytes."""
    consented = (site.folder / "engine.toml").read_text("utf-8")
    for change in (site.machine.rules.replace("version = 1\n", ""), "# a comment\n"):
        site.write(consented + change)
        with site.machine.up() as url:
            async with site.gateway(site.releaser(), url) as of:
                await of.closed("config_digest", unsealed=False)


async def test_consent_to_real_evidence_is_none_to_simulated_evidence(site: Site) -> None:
    with site.machine.up() as url:
        async with site.gateway(site.releaser(), url, allow_simulated=True) as of:
            await of.closed("config_digest", unsealed=False)


async def test_consent_to_a_gateway_without_a_policy_is_none_to_one_with_it_nor_the_other_way(site: Site) -> None:
    without = site.config("https://127.0.0.1:1", engine_policy="").protection.digest().hex()
    with site.machine.up() as url:
        async with site.gateway(site.releaser(digest=without), url) as of:
            await of.closed("config_digest", unsealed=False)
        async with site.gateway(site.releaser(), url, engine_policy="") as of:
            await of.closed("config_digest", unsealed=False)
        async with site.gateway(site.releaser(digest=without), url, engine_policy="") as of:
            await of.closed("engine_spki", unsealed=False)  # no policy, and no engine in the grant
        async with site.gateway(site.releaser(await shown(url), digest=without), url, engine_policy="") as of:
            await of.held()
            answer = await of.chat()
            assert (answer.status_code, answer.headers["x-cmif-lane"]) == (200, "engine")
            assert "Whitfield" not in site.machine.engine.seen[-1].prompt


async def test_a_policy_that_cannot_be_read_ends_the_start_before_the_provider_is_asked(site: Site) -> None:
    site.write("level = 1\n")
    with pytest.raises(InputError, match="unknown key"):
        async with site.gateway(site.releaser(), "https://127.0.0.1:1"):
            pass


async def test_who_answers_in_the_engine_s_place_while_it_serves_is_sent_nothing(site: Site) -> None:
    with ExitStack() as first:
        url = first.enter_context(site.machine.up())
        async with site.gateway(site.releaser(), url) as of:
            await of.held()
            assert (await of.chat()).status_code == 200
            await asyncio.to_thread(first.close)
            middle = InTheMiddle("https://127.0.0.1:1", {"v": 1})
            with middle.up(port(url)):
                assert (await of.chat()).status_code == 503
                assert middle.got == []
                await of.closed("tls_spki", unsealed=True)
                assert middle.got == []


@pytest.mark.parametrize("listed", [False, True])
async def test_an_engine_that_restarts_is_asked_anew_unless_the_grant_lists_its_old_key_only(
    site: Site, listed: bool
) -> None:
    with ExitStack() as first:
        url = first.enter_context(site.machine.up())
        async with site.gateway(site.releaser(*([await shown(url)] if listed else [])), url) as of:
            await of.held()
            await asyncio.to_thread(first.close)
            with site.machine.up(port(url)):
                assert (await of.chat()).status_code == 503
                if listed:
                    await of.closed("engine_spki", unsealed=True)
                else:
                    await of.held()
                    assert (await of.chat()).status_code == 200


async def test_lease_and_statement_lapse_each_for_itself_and_either_closes_the_lane(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks that the test moves stand for a suspended machine; the provider and the engine do not answer meanwhile."""
    with ExitStack() as first:
        url = first.enter_context(site.machine.up())
        now = {"lease": 0.0, "statement": 0.0}
        monkeypatch.setattr(Lease, "remaining_s", lambda self: self.until - self.clock() - now["lease"])
        began = engine_attestation.EngineAttestation.__init__

        def moved(self: Any, *arguments: Any, **named: Any) -> None:
            began(self, *arguments, **named, clock=lambda: 1000.0 + now["statement"])

        monkeypatch.setattr(engine_attestation.EngineAttestation, "__init__", moved)
        async with site.gateway(site.releaser(), url) as of:
            await of.held()
            now["lease"] = 600.0
            await of.closed("lease", unsealed=True)
            now["lease"] = 0.0
            await of.held()
            await asyncio.to_thread(first.close)
            now["statement"] = 600.0
            await of.closed("attestation", unsealed=True)
            now["lease"] = 600.0
            await of.closed("lease", "attestation", unsealed=True)


async def test_the_engine_s_certificates_are_judged_by_the_provider_s_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's own clock is right, or set back, and counts for nothing."""
    late = datetime.now(UTC) + timedelta(days=36500)
    monkeypatch.setattr(Lease, "now", lambda self: late)
    with site.machine.up() as url:
        async with site.gateway(site.releaser(), url) as of:
            await of.closed("validity", unsealed=True)


async def shown(url: str) -> str:
    """The TLS key (SHA-256, hex) that an engine shows, as a provider would list it."""
    import ssl

    from cmif.attest.spki import spki_sha256

    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port(url)))
    return spki_sha256(ssl.PEM_cert_to_DER_cert(pem))


def port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
