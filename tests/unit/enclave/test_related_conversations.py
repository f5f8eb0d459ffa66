"""Generated conversations of four turns: what belongs together goes together and comes back, whatever is drawn."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta

import pytest

from cmif.enclave import layouts
from cmif.enclave.bundle import Bundle
from cmif.enclave.entities import OFFSET
from cmif.enclave.surrogates import Offset, gender_of
from tests.unit.enclave.test_conversation import Chat, bundle  # noqa: F401 (a fixture)

GIVEN = {"f": ("Aria", "Fatima", "Priya", "Margaret", "Svetlana"), "m": ("Robert", "Rajesh", "Omar", "Stefan", "Kenji")}
SURNAMES = ("Okafor", "Whitfield", "Lindqvist", "Castellano", "Yamamoto", "Abernathy")
TOWNS = ("Lyon", "Leeds", "Lagos", "Toronto", "Dresden")
LAYOUTS = ("iso", "dmy", "mdy", "omy", "oofmy", "moy")


def _one(bundle: Bundle, seed: int) -> None:  # noqa: F811
    source = random.Random(seed)
    gender = source.choice("fm")
    given, surname, town = source.choice(GIVEN[gender]), source.choice(SURNAMES), source.choice(TOWNS)
    born = date(1940, 1, 1) + timedelta(days=source.randrange(22000))
    days = [date(2020, 1, 1) + timedelta(days=source.randrange(1500)) for _ in range(3)]
    texts = [layouts.dates(d.isoformat())[source.choice(LAYOUTS)] for d in (born, *days)]
    age = days[0].year - born.year - ((days[0].month, days[0].day) < (born.month, born.day))
    turns = [
        f"My patient {given} {surname}, born {texts[0]}, lives in {town}. The patient was {age} years old on {texts[1]}.",
        f"{given} came back on {texts[2]} with a cough.",
        f"Please write to {given[0]}. {surname} at {given}.{surname}@mailbox.org about {texts[3]}.",
        f"What did {surname} say in {town} on {texts[1]}?",
    ]
    chat = Chat(bundle)
    moved: list[date] = []
    for turn, said in enumerate(turns):
        sent = chat.send(said)[-1]
        drawn = {p.sent.casefold() for row in chat.prepared.pieces for p in row if p.kind != "text"}
        for secret in (given, surname, town, *texts):
            if secret.casefold() in drawn:
                continue  # a draw that does not look at the values is one of them now and then
            assert not re.search(rf"(?i)\b{re.escape(secret)}\b", sent), (secret, sent)
        if turn == 0:
            name = sent.split("patient ", 1)[1].split(",")[0].split()
            assert gender_of(name[0]) == gender, "the gender survives"
        elif turn == 1:
            assert sent.startswith(name[0] + " "), "a given name alone is part of the full name"
        elif turn == 2:
            assert f"{name[0][0]}. {name[1]} at {'.'.join(name).lower()}@" in sent
        else:
            assert f" {name[1]} say" in sent
        offset = chat.prepared.conversation.drawn(OFFSET)
        assert offset is not None
        shift = Offset.parse(offset.sent)
        moved = [d + timedelta(days=shift.days) for d in (born, *days)]
        for day, text in zip(moved, texts, strict=True):
            if text in said:
                assert any(layout in sent for layout in layouts.dates(day.isoformat()).values()), (text, sent)
        assert chat.answer(f"Noted: {sent}") == f"Noted: {said}", sent
    at = moved[1].year - moved[0].year - ((moved[1].month, moved[1].day) < (moved[0].month, moved[0].day))
    assert abs(at - age) <= ((days[0] - born).days % 365 in (*range(0, 25), *range(360, 365))), "exact but for leap days"


def test_forty_conversations_of_four_turns_keep_their_relations_and_come_back(bundle: Bundle) -> None:  # noqa: F811
    for seed in range(40):
        _one(bundle, seed)


@pytest.mark.slow
def test_five_hundred_conversations_of_four_turns_keep_their_relations_and_come_back(bundle: Bundle) -> None:  # noqa: F811
    for seed in range(1000, 1500):
        _one(bundle, seed)
