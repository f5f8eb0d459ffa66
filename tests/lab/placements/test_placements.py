from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cmif.bf16 import to_float
from cmif.errors import EngineError, EngineUnavailableError
from cmif.wire.rows import Rows
from cmif_lab.placements import NAMES
from cmif_lab.placements.channel import Channel, Message
from cmif_lab.placements.local import EnclaveOnly
from cmif_lab.placements.offload import Offload, OffloadModel
from cmif_lab.placements.partial import EMBEDDING, HEAD, linear_names, partial_model, tensors
from cmif_lab.placements.placement import Placement
from cmif_lab.placements.process import ServerProcess
from cmif_lab.placements.remote import Remote
from cmif_lab.placements.server import LINEAR, NEXT, PROMPT, offload_server, strict_server
from cmif_lab.placements.strict import Strict
from cmif_server.engine.transformers import load_model
from tests.bodies import HIDDEN, VOCAB, make_body, table

LAYERS, PROMPT_LENGTH, NEW = 2, 21, 12
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass
class World:
    """One tiny body with the real server processes of every placement."""

    body: Path
    rows: np.ndarray
    placements: dict[str, Placement]
    strict_port: int


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    body = make_body(tmp_path_factory.mktemp("body"))
    torch.set_num_threads(1)
    with ExitStack() as stack:
        engine = stack.enter_context(
            ServerProcess("cmif", "serve", str(body), "--port", "0", environment=ONE_THREAD)
        )
        strict, offload = (
            stack.enter_context(
                ServerProcess("cmif_lab.placements.server", role, str(body), environment=ONE_THREAD)
            )
            for role in ("strict", "offload")
        )
        rows = table(body)
        model = json.loads((body / "body.json").read_text())["model"]
        made: list[Placement] = [
            Remote(engine.told["url"], model, None), Remote(engine.told["url"], model, "bf16+zstd"),
            Strict(strict.told["port"], rows), Offload(offload.told["port"], OffloadModel(body, fused=False)),
            Offload(offload.told["port"], OffloadModel(body, fused=True)), EnclaveOnly(load_model(body)),
        ]  # fmt: skip
        yield World(body, rows, {p.name: p for p in made}, strict.told["port"])
        for placement in made:
            placement.close()


def ids_of(seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(3, VOCAB, PROMPT_LENGTH).tolist()


def test_every_placement_gives_the_same_greedy_answer(world: World) -> None:
    assert tuple(world.placements) == NAMES
    for seed in range(3):
        ids = ids_of(seed)
        rows = Rows.gather(world.rows, np.array(ids))
        answers = {name: p.run(ids, rows, NEW).ids for name, p in world.placements.items()}
        assert set(answers.values()) == {answers["plain"]}
        assert len(answers["plain"]) == NEW


def test_round_trips_and_bytes_are_those_of_the_table(world: World) -> None:
    ids = ids_of(7)
    rows = Rows.gather(world.rows, np.array(ids))
    out = {name: p.run(ids, rows, NEW) for name, p in world.placements.items()}
    assert {name: o.round_trips for name, o in out.items()} == {
        "plain": 1, "cmif": 1, "cmif-strict": NEW, "linear-offload": NEW * (7 * LAYERS + 1),
        "linear-offload-fused": NEW * (4 * LAYERS + 1), "enclave-only": 0,
    }  # fmt: skip
    assert out["cmif-strict"].bytes_up == NEW * 20 + (PROMPT_LENGTH + NEW - 1) * HIDDEN * 2
    assert out["cmif-strict"].bytes_down == NEW * 24
    assert out["enclave-only"].bytes_up == out["enclave-only"].bytes_down == 0
    assert (
        out["plain"].bytes_up
        < out["cmif"].bytes_up
        < out["cmif-strict"].bytes_up
        < out["linear-offload"].bytes_up
    )
    for o in out.values():
        assert 0 < o.ttft_ms <= o.total_ms
        assert sum(o.steps.values()) == pytest.approx(o.total_ms)


def test_one_new_token_needs_no_decoding_step(world: World) -> None:
    ids = ids_of(1)
    rows = Rows.gather(world.rows, np.array(ids))
    assert {p.run(ids, rows, 1).ids for p in world.placements.values()} == {
        world.placements["plain"].run(ids, rows, 1).ids
    }


def test_the_strict_server_never_holds_the_embedding_table(world: World) -> None:
    model = partial_model(world.body, lambda name: name != EMBEDDING, torch.float32)
    assert model.model.embed_tokens.weight.is_meta
    assert not model.lm_head.weight.is_meta


def test_a_tied_head_is_the_table_under_its_own_name(tmp_path: Path) -> None:
    body = make_body(tmp_path, tie_word_embeddings=True)
    assert HEAD not in load_file(body / "model.safetensors")
    assert set(tensors(body, lambda n: n == HEAD, torch.float32)) == {HEAD}
    rows, ids = table(body), ids_of(4)
    local = EnclaveOnly(load_model(body))
    expected = local.run(ids, Rows.gather(rows, np.array(ids)), 2).ids
    handle = strict_server(body, torch.float32)()
    with torch.inference_mode():
        first = handle(Message(PROMPT, rows[ids], count=2))
        second = handle(Message(NEXT, rows[first[0]]))
        last = len(linear_names(LAYERS)) - 1
        head = offload_server(body, torch.float32)()(Message(LINEAR, np.eye(HIDDEN, dtype=np.float32), last))
    assert (int(first[0, 0]), int(second[0, 0])) == expected
    assert np.array_equal(head.T, to_float(rows))


def test_the_enclave_of_an_offload_holds_no_linear_layer(world: World) -> None:
    names = {n for n, p in world.placements["linear-offload"]._decoder._model.named_parameters()}  # type: ignore[attr-defined]
    assert not any(linear in name for name in names for linear in ("proj", "lm_head"))
    assert "embed_tokens.weight" in names


def test_linear_layers_are_numbered_as_the_checkpoint_names_them(world: World) -> None:
    stored = set(load_file(world.body / "model.safetensors"))
    names = {f"{name}.weight" for name in linear_names(LAYERS)}
    assert names - {HEAD} <= stored
    assert set(tensors(world.body, lambda n: n in names, torch.float32)) == names


def test_a_broken_client_leaves_the_server_to_others(world: World) -> None:
    channel = Channel.connect(world.strict_port)
    with pytest.raises(EngineUnavailableError):  # rows of another hidden size: the connection ends
        channel.ask(Message(PROMPT, np.zeros((3, HIDDEN + 1), np.uint16), count=4))
    channel.close()
    ids = ids_of(2)
    rows = Rows.gather(world.rows, np.array(ids))
    assert (
        world.placements["cmif-strict"].run(ids, rows, 3).ids
        == world.placements["plain"].run(ids, rows, 3).ids
    )


def test_a_refusal_and_a_dead_engine_are_errors(world: World) -> None:
    ids = ids_of(2)
    rows = Rows.gather(world.rows, np.array(ids))
    with pytest.raises(EngineError):
        world.placements["plain"].run(ids, rows, 4000)
    with pytest.raises(EngineUnavailableError):
        Remote("http://127.0.0.1:1", "ab" * 32, None).run(ids, rows, 4)
    with pytest.raises(EngineUnavailableError):
        Channel.connect(1)


def test_a_server_that_does_not_become_ready_says_so(tmp_path: Path) -> None:
    with (
        ServerProcess("cmif_lab.placements.server", "offload", str(tmp_path)) as server,
        pytest.raises(EngineUnavailableError, match="status"),
    ):
        _ = server.told
