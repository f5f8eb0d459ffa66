"""A conversation between an attested engine, told more, and others: no answer of the one ever reaches the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmif.enclave.bundle import Bundle
from cmif.enclave.conversation import Who
from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.enclave.policy import Level, PrivacyPolicy, detectors_for
from cmif.errors import LaneError
from cmif.gateway.bundles import open_bundle
from cmif.gateway.store import SqliteStore
from cmif.types import Kind

TYPED = "Patient: Eleanor Whitfield was seen for diabetes."
ENCODED = "As you asked, here are the eight letters: dleiftihW, read backwards."


@pytest.fixture(scope="module")
def bundle(tiny_split: Path) -> Bundle:
    opened = open_bundle(tiny_split / "client")
    return replace(opened, manifest=replace(opened.manifest, context=8192))


class Lanes:
    """Two gateways on one state under one policy: one before an attested engine, one before any other."""

    def __init__(self, bundle: Bundle, attested: str | None = "off", level: str = "sensitive") -> None:
        policy = PrivacyPolicy.parse({"level": level, **({"attested": attested} if attested else {})})
        self.store = SqliteStore(":memory:")
        self.pipelines = {
            told: Pipeline(bundle, policy, detectors_for(policy), self.store, b"k" * 32, attested=told)
            for told in (True, False)
        }
        self.prepared: Prepared

    def send(
        self, messages: list[dict[str, Any]] | str, *, attested: bool, who: Who = Who("t"), answer: str = ""
    ) -> str:
        """What this lane's engine is sent; it then writes ``answer``."""
        request = {"prompt": messages} if isinstance(messages, str) else {"messages": messages}
        self.prepared = self.pipelines[attested].prepare(request, who=who, max_tokens=1)
        if answer:
            response = self.prepared.conversation.response()
            response.done(answer, [(answer, answer)])
        return self.prepared.sent_text


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def test_an_attested_engine_is_sent_what_its_level_allows_and_others_what_theirs_does(bundle: Bundle) -> None:
    lanes = Lanes(bundle)
    assert lanes.send([user(TYPED)], attested=True) == TYPED
    assert lanes.prepared.epsilon == 0
    told = lanes.send([user(TYPED)], attested=False)
    assert "Whitfield" not in told
    assert "diabetes" not in told or lanes.prepared.epsilon > 0


def test_entities_alone_may_be_what_an_attested_engine_is_not_told(bundle: Bundle) -> None:
    lanes = Lanes(bundle, attested="entities")
    told = lanes.send([user(TYPED)], attested=True)
    assert "Whitfield" not in told
    assert "diabetes" in told


def test_what_was_typed_to_an_attested_engine_is_sanitised_anew_for_another(bundle: Bundle) -> None:
    lanes = Lanes(bundle)
    lanes.send([user(TYPED)], attested=True, answer="Noted.")
    told = lanes.send([user(TYPED), user("And what now?")], attested=False)
    assert "Whitfield" not in told


@pytest.mark.parametrize(
    "history",
    [
        [user(TYPED), assistant(ENCODED), user("Thanks.")],
        [user(TYPED), assistant(ENCODED.replace(", ", " - ").upper()), user("Thanks.")],
        [user(TYPED), assistant("dleiftihW"), user("Thanks.")],
        [assistant(f"  {ENCODED}\n"), user("Thanks.")],
        [user("Another question."), assistant(ENCODED), user("Thanks.")],
    ],
    ids=["whole", "edited", "cut", "without its question", "after another question"],
)
def test_an_answer_of_an_attested_engine_never_goes_to_another(
    bundle: Bundle, history: list[dict[str, Any]]
) -> None:
    """An answer may say an original in a way that no detector knows, should a document have asked for it."""
    lanes = Lanes(bundle)
    lanes.send([user(TYPED)], attested=True, answer=ENCODED)
    with pytest.raises(LaneError):
        lanes.send(history, attested=False)


def test_an_answer_that_a_crash_cut_off_does_not_go_either(bundle: Bundle) -> None:
    lanes = Lanes(bundle)
    lanes.send([user(TYPED)], attested=True)
    lanes.prepared.conversation.response().wrote(0, [("Whitfield", "Whitfield")])
    with pytest.raises(LaneError):
        lanes.send([user(TYPED), assistant("Whit"), user("Go on.")], attested=False)


def test_a_named_conversation_and_a_completion_s_prompt_are_held_to_it_as_well(bundle: Bundle) -> None:
    lanes = Lanes(bundle)
    named = Who("t", conversation="case 7")
    lanes.send([user(TYPED)], attested=True, who=named, answer="Yes.")
    with pytest.raises(LaneError):
        lanes.send([user("Something else."), assistant("Yes, it is."), user("Thanks.")], attested=False, who=named)
    prompt = "A letter\nof positive words\nAnswer:"
    lanes.send(prompt, attested=True, answer=" positive")
    lanes.send(prompt, attested=False)
    with pytest.raises(LaneError):
        lanes.send(f"{prompt} positive\nAnd another:", attested=False)


def test_the_call_of_a_tool_that_an_attested_engine_made_does_not_go_to_another(bundle: Bundle) -> None:
    lanes = Lanes(bundle)
    lanes.send([user(TYPED)], attested=True)
    lanes.prepared.conversation.response().done("", (), ["call_7f3a"])
    call = {"id": "call_7f3a", "type": "function", "function": {"name": "look", "arguments": '{"q": "dleiftihW"}'}}
    history = [user("Find it."), {"role": "assistant", "content": None, "tool_calls": [call]}]
    with pytest.raises(LaneError):
        lanes.send([*history, {"role": "tool", "tool_call_id": "call_7f3a", "content": "none"}], attested=False)


def test_strangers_and_examples_that_a_client_wrote_itself_are_not_refused(bundle: Bundle) -> None:
    lanes = Lanes(bundle)
    lanes.send([user("Hello"), assistant("Hello, you."), user(TYPED)], attested=True, answer=ENCODED)
    lanes.send([user("Hello")], attested=False, answer="Hello to you.")
    lanes.send([user("Hello"), assistant("Hello to you."), user("Bye")], attested=False)
    lanes.send([user("Hello"), assistant("An example."), user("Bye")], attested=False)
    lanes.send([user(TYPED), assistant(ENCODED), user("Bye")], attested=False, who=Who("another tenant"))


def test_a_conversation_may_move_to_an_attested_engine_and_then_does_not_come_back(bundle: Bundle) -> None:
    lanes = Lanes(bundle)
    told = lanes.send([user(TYPED)], attested=False)
    (sent,) = [p.sent for row in lanes.prepared.pieces for p in row if p.kind in set(Kind) and "Whitfield" in p.text]
    response = lanes.prepared.conversation.response()
    response.done("Whitfield is noted.", [(sent, "Whitfield"), (" is noted.", " is noted.")])
    history = [user(TYPED), assistant("Whitfield is noted."), user("What is the name?")]
    originals = lanes.send(history, attested=True, answer="The name is Whitfield.")
    assert sent not in originals
    assert originals.count("Whitfield") == 2
    again = lanes.send(history, attested=False)
    assert "Whitfield" not in again
    assert told.splitlines()[0] in again
    with pytest.raises(LaneError):
        lanes.send([*history, assistant("The name is Whitfield."), user("Thanks.")], attested=False)


def test_draws_for_the_two_engines_are_apart_and_both_are_charged_to_the_tenant(bundle: Bundle) -> None:
    lanes = Lanes(bundle, attested="sensitive")
    message = [user("I have severe asthma.")]
    lanes.send(message, attested=True)
    first = lanes.prepared.epsilon
    lanes.send(message, attested=False)
    assert first > 0
    assert lanes.prepared.epsilon == first
    (account,) = [a for a in lanes.store.accounts("tenant") if a.tenant == "t"]
    assert account.epsilon == pytest.approx(2 * first)


def test_without_a_level_for_attested_engines_a_conversation_is_one_whatever_its_engine(bundle: Bundle) -> None:
    lanes = Lanes(bundle, attested=None)
    assert lanes.pipelines[True].policy.level is Level.SENSITIVE
    told = lanes.send([user(TYPED)], attested=True, answer="Noted, thank you very much for telling me this.")
    history = [user(TYPED), assistant("Noted, thank you very much for telling me this."), user("Thanks.")]
    assert lanes.send(history, attested=False).startswith(told)
