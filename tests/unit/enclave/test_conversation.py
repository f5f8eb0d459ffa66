"""Two rules: what the engine wrote goes back as it wrote it, and what was private once is private ever after."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cmif.enclave.bundle import Bundle
from cmif.enclave.conversation import Who
from cmif.enclave.finder import Finder
from cmif.enclave.originals import Original
from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.enclave.special import key, special
from cmif.enclave.words import is_stopword
from cmif.errors import BudgetExhaustedError
from cmif.gateway.bundles import open_bundle
from cmif.gateway.store import SqliteStore
from cmif.privacy.accounting import Budget
from cmif.types import Kind

Message = dict[str, Any]
KEY = b"k" * 32


@pytest.fixture(scope="module")
def bundle(tiny_split: Path) -> Bundle:
    opened = open_bundle(tiny_split / "client")
    return replace(opened, manifest=replace(opened.manifest, context=8192))


class Chat:
    """A client that re-sends its history, an engine that writes what it is told, and what reaches it."""

    def __init__(
        self, bundle: Bundle, level: str = "entities", store: SqliteStore | None = None, who: Who = Who("t"), key: bytes = KEY
    ) -> None:
        policy = PrivacyPolicy.named(level)
        self.store = store or SqliteStore(":memory:")
        self.pipeline = Pipeline(bundle, policy, detectors_for(policy), self.store, key)
        self.who = who
        self.messages: list[Message] = []
        self.sent: list[Message] = []
        self.epsilon = 0.0
        self.prepared: Prepared

    def send(self, content: str | None = None, role: str = "user", messages: Sequence[Message] | None = None) -> list[str]:
        """What the engine receives of each message."""
        if content is not None:
            self.messages.append({"role": role, "content": content})
        request = {"messages": list(self.messages if messages is None else messages)}
        self.prepared = self.pipeline.prepare(request, who=self.who, max_tokens=1)
        self.epsilon = self.prepared.epsilon
        self.sent = list(self.prepared.request["messages"])
        return [message["content"] for message in self.sent]

    def answer(self, raw: str) -> str:
        """What its reader gets of an answer that the engine wrote as ``raw``."""
        restorer = self.pipeline.restorer(self.prepared)
        runs = [*(run for char in raw for run in restorer.feed(char)), *restorer.finish()]
        response = self.prepared.conversation.response()
        response.wrote(0, [(run.raw, run.text) for run in runs])
        text = "".join(run.text for run in runs)
        response.done(text)
        self.messages.append({"role": "assistant", "content": text})
        return text

    def sent_for(self, original: str) -> str:
        for piece in (p for row in self.prepared.pieces for p in row if p.kind != "text"):
            original = original.replace(piece.text, piece.sent)
        return original


PRIVATE: dict[str, tuple[str, str]] = {
    "a name": ("Patient: Eleanor Whitfield was seen.", "Whitfield"),
    "a name in lower case": ("my name is xu li, draft a letter", "xu li"),
    "a mark": ("Summarise: <private>the merger closes on friday</private>", "the merger closes on friday"),
    "a number by its label": ("Patient with MRN 553291 was seen.", "553291"),
    "a password by its label": ("My login: password: magpie88Xq", "magpie88Xq"),
    "an address": ("Mail eleanor.w@nordfell.com please.", "eleanor.w@nordfell.com"),
    "a card": ("Card 4539 1488 0343 6467 was charged.", "4539 1488 0343 6467"),
}
WRAPPERS = ("{}", "get_{}_name", "#{}", "@{}", "${}$", "pre-{}-post", "({})", "**{}**", "id={};", "{}'s", "Dear {}, hello.")


@pytest.mark.parametrize("role", ["assistant", "user", "system", "tool"])
@pytest.mark.parametrize("kind", PRIVATE)
def test_whatever_was_private_once_is_private_in_every_later_text(bundle: Bundle, kind: str, role: str) -> None:
    """The client writes the history itself, so no answer is known: every text is searched for every original."""
    typed, original = PRIVATE[kind]
    for wrapper in WRAPPERS:
        chat = Chat(bundle)
        chat.send(typed)
        sent = chat.send(messages=[
            *chat.messages,
            {"role": role, "content": f"So: {wrapper.format(original)} and {wrapper.format(original.lower())}"},
            {"role": "user", "content": "go on"},
        ])  # fmt: skip
        assert not [text for text in sent if original.casefold() in text.casefold()], wrapper


@pytest.mark.parametrize(
    "later",
    [
        "```python\nx = {0}\n@{0}\ndef {0}(a): return {0}.run()\n```", "import {0}\nfrom {0} import x\n", "{0}: 1,\n{0}=2", "{0}(1, 2);",
        "token = {0}(x)\nraise {0}('x')", "Who played {0} in the movie Titanic?", "What is the capital of {0}?",
        "Roe v. {0}, 410 U.S. 113 (1973)", "`{0}` #{0} ### {0}", "SELECT {0} FROM t;", "class {0}:\n    pass",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("typed", "original"),
    [
        ("My handle is @kas_lunde, ok?", "kas_lunde"),
        ("Our server is db7.halvorsen.internal now.", "db7.halvorsen.internal"),
        ("My password: Xk9mQ2pLw7", "Xk9mQ2pLw7"),
        ("I work for Halvorsen Ltd.", "Halvorsen"),
        ("Case ref KX-8841-2290 was closed.", "KX-8841-2290"),
        ("Note <private>blue heron</private> down.", "blue heron"),
    ],
)  # fmt: skip
def test_neither_code_nor_a_question_of_general_knowledge_takes_back_what_was_private(
    bundle: Bundle, typed: str, original: str, later: str
) -> None:
    chat = Chat(bundle)
    chat.send(typed)
    assert original.casefold() not in chat.send(later.format(original))[-1].casefold()


@pytest.mark.parametrize("kind", PRIVATE)
def test_an_answer_goes_back_as_the_engine_wrote_it(bundle: Bundle, kind: str) -> None:
    typed, original = PRIVATE[kind]
    for wrapper in WRAPPERS:
        chat = Chat(bundle)
        chat.send(typed)
        raw = f"Here it is: {wrapper.format(chat.sent_for(original))} as I said"
        chat.answer(raw)
        sent = chat.send("Thanks.")
        assert sent[1] == raw
        assert not [text for text in sent if original in text]


@pytest.mark.parametrize(
    "change",
    [
        str.strip,
        lambda text: text[: len(text) * 2 // 3],
        lambda text: text.replace("\n", " "),
        lambda text: text.replace("**", ""),
        lambda text: text + " (edited)",
        lambda text: text.upper(),
    ],
    ids=["trimmed", "cut", "re-wrapped", "without its marks", "with words added", "in capitals"],
)
def test_an_answer_that_the_client_changed_gives_nothing_away(bundle: Bundle, change: Callable[[str], str]) -> None:
    chat = Chat(bundle)
    chat.send("Patient: Eleanor Whitfield was seen.")
    surrogate = chat.sent_for("Whitfield")
    raw = f"\n The **patient** {surrogate} is well again\nand so is doctor **{surrogate}** of the same house.\n"
    read = chat.answer(raw)
    assert "Whitfield" in read
    chat.messages[-1]["content"] = change(read)
    sent = chat.send("Thanks.")
    assert "whitfield" not in sent[1].casefold()
    assert surrogate.casefold() in sent[1].casefold()


@pytest.mark.parametrize("edited", [False, True])
def test_an_engine_that_lists_candidates_gets_them_back_as_candidates(bundle: Bundle, edited: bool) -> None:
    """The oracle: one of many names in its answer is the original; in the next request nothing sets it apart."""
    chat = Chat(bundle)
    chat.send("Patient: Eleanor Whitfield was seen.")
    surrogate = chat.sent_for("Whitfield")
    names = ["Adamson", "Brookes", "Castellano", "Whitfield", "Dunmore", "Everhart", "Fairbanks", "Galloway"] * 15
    random.Random(1).shuffle(names)
    raw = "Which of these is it? " + ", ".join(names) + "."
    chat.answer(raw)
    if edited:
        chat.messages[-1]["content"] = chat.messages[-1]["content"][5:-30]
    sent = chat.send("The fourth.")[1]
    assert surrogate not in sent
    assert sent == raw if not edited else {*sent.split(", ")[1:]} <= {*raw.split(", ")}


def test_the_engine_s_words_are_never_drawn_or_charged(bundle: Bundle) -> None:
    chat = Chat(bundle, "content")
    chat.send("The patient has severe pain.")
    assert chat.epsilon > 0
    chat.answer("Lawyers often compare ancient rivers with modern hospitals before dinner.")
    chat.send("ok")
    before = chat.epsilon
    chat.messages[1]["content"] = "  " + chat.messages[1]["content"][:40]
    chat.messages[-1]["content"] = "ok then"
    assert before <= chat.pipeline.bundle.table.eps_in
    chat.send()
    assert chat.epsilon <= chat.pipeline.bundle.table.eps_in


def test_a_retry_a_regeneration_and_a_restart_send_the_same_and_cost_nothing(bundle: Bundle, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    chat = Chat(bundle, "content", store)
    first = chat.send("The patient Eleanor Whitfield has severe pain.")
    assert chat.epsilon > 0
    for again in (chat, Chat(bundle, "content", store), Chat(bundle, "content", SqliteStore(tmp_path / "l.sqlite"))):
        again.messages = chat.messages
        assert again.send() == first
        assert again.epsilon == 0


def test_a_clock_in_the_system_prompt_changes_no_message(bundle: Bundle) -> None:
    chat = Chat(bundle, "content")
    seen, cost = set(), []
    for turn in range(5):
        clock = {"role": "system", "content": f"Helpful. Time: 10:3{turn}:0{turn}."}
        chat.messages = [clock, *[m for m in chat.messages if m["role"] != "system"]]
        sent = chat.send("The patient has severe pain." if turn == 0 else "And why then?")
        seen.add(sent[1])
        cost.append(chat.epsilon)
        chat.answer("It may be this or that, who knows.")
    assert len(seen) == 1
    assert cost[2:] == [0, 0, 0] or max(cost[2:]) <= 2 * chat.pipeline.bundle.table.eps_in  # the clock's own digits


def test_strangers_who_begin_alike_share_no_draws_and_no_budget(bundle: Bundle) -> None:
    store = SqliteStore(":memory:", Budget(conversation=4.0))
    one, other = Chat(bundle, "content", store), Chat(bundle, "content", store)
    for chat in (one, other):
        chat.send("Hi")
        chat.answer("Hello, how can I help you today?")
    table = bundle.table
    words = [w for w, c in zip(table.words, table.classes, strict=True) if c == 0 and len(w) > 7 and not is_stopword(w)]
    one.send(" ".join(words[10:13]))
    with pytest.raises(BudgetExhaustedError):
        one.send(" ".join(words[20:23]))
    other.send(" ".join(words[30:33]))
    assert other.epsilon > 0  # drawn for itself, and within a budget of its own


def test_two_strangers_get_different_draws_of_one_value(bundle: Bundle) -> None:
    store = SqliteStore(":memory:")
    surrogates = set()
    for i in range(12):
        chat = Chat(bundle, "entities", store)
        chat.send("Hi")
        chat.answer("Hello, how can I help you today?")
        chat.send(f"Note {i}: Eleanor Whitfield called.")
        surrogates.add(chat.sent_for("Whitfield"))
    assert len(surrogates) > 6


@pytest.mark.parametrize("other", [Who("u"), Who("t", "anna"), Who("t", conversation="c")])
def test_tenants_end_users_and_named_conversations_are_apart(bundle: Bundle, other: Who) -> None:
    store = SqliteStore(":memory:")
    seen = set()
    for i in range(12):
        for who in (Who("t"), other):
            chat = Chat(bundle, "entities", store, who)
            chat.send(f"Note {i}: Eleanor Whitfield called.")
            seen.add((who, chat.sent_for("Whitfield")))
            salt = chat.prepared.conversation.salt
            assert (salt == Chat(bundle, "entities", store).pipeline.prepare(
                {"messages": chat.messages}, who=Who("t"), max_tokens=1).conversation.salt) == ((who.tenant, who.user) == ("t", None))  # fmt: skip
    mine = {s for who, s in seen if who == Who("t")}
    assert {s for who, s in seen if who == other} != mine


def test_a_named_conversation_keeps_its_draws_whatever_it_sends(bundle: Bundle) -> None:
    chat = Chat(bundle, who=Who("t", conversation="case 17"))
    chat.send("Eleanor Whitfield called.")
    surrogate = chat.sent_for("Whitfield")
    chat.messages = []
    chat.send("Something else, and Ms. Whitfield wrote.")
    assert chat.sent_for("Whitfield") == surrogate


def test_an_edited_first_message_leads_back_by_a_later_exchange(bundle: Bundle) -> None:
    chat = Chat(bundle, "content")
    chat.send("The patient Eleanor Whitfield has severe pain.")
    chat.answer("I am sorry to hear that, please tell me more about it.")
    chat.send("Doctor Whitfield prescribed aspirin.")
    surrogate = chat.sent_for("Whitfield")
    chat.answer("Aspirin is a common choice in such a case, as far as I know.")
    chat.messages[0]["content"] = "The patient Eleanor Whitfield has really severe pain."
    sent = chat.send("ok")
    assert surrogate in sent[0]
    assert surrogate in sent[2]
    assert chat.epsilon <= 2 * chat.pipeline.bundle.table.eps_in  # "really" and "ok"


def test_an_edited_last_message_keeps_the_draws_of_its_first_version(bundle: Bundle) -> None:
    chat = Chat(bundle, "content")
    chat.send("Hi")
    chat.answer("Hello there, how can I help you with your papers today?")
    chat.send("Doctor Whitfield has severe pain.")
    surrogate = chat.sent_for("Whitfield")
    chat.messages[-1]["content"] = "Nurse Whitfield has severe pain."
    chat.send()
    assert chat.sent_for("Whitfield") == surrogate
    assert chat.epsilon <= bundle.table.eps_in  # "Nurse"


def test_a_lost_race_takes_the_winner_s_draw_and_pays_nothing(bundle: Bundle) -> None:
    """Between recall and commit another request of the same conversation remembers its own draws."""
    store = SqliteStore(":memory:")
    winner, loser = Chat(bundle, "content", store), Chat(bundle, "content", store)
    text = "The patient Eleanor Whitfield has severe pain."
    commit, raced = store.commit, []

    def first_the_other(*arguments: Any) -> Any:
        if not raced:
            raced.append(True)
            winner.send(text)
        return commit(*arguments)

    store.commit = first_the_other  # type: ignore[method-assign]
    sent = loser.send(text)
    assert raced
    assert sent == [message["content"] for message in winner.sent]
    assert (winner.epsilon > 0, loser.epsilon) == (True, 0.0)


def test_a_value_that_two_texts_race_for_has_one_surrogate(bundle: Bundle) -> None:
    store = SqliteStore(":memory:")
    who = Who("t", conversation="c")
    winner, loser = Chat(bundle, store=store, who=who), Chat(bundle, store=store, who=who)
    commit, raced = store.commit, []

    def first_the_other(*arguments: Any) -> Any:
        if not raced:
            raced.append(True)
            winner.send("The patient Eleanor Whitfield has pain.")
        return commit(*arguments)

    store.commit = first_the_other  # type: ignore[method-assign]
    loser.send("Write to the patient Eleanor Whitfield.")
    assert raced
    assert loser.sent_for("Eleanor Whitfield") == winner.sent_for("Eleanor Whitfield") != "Eleanor Whitfield"


def test_no_surrogate_is_taken_twice_in_a_conversation(bundle: Bundle) -> None:
    chat = Chat(bundle, who=Who("t", conversation="c"))
    seen: set[str] = set()
    for i in range(40):
        name = "Qu" + "aeiou"[i % 5] + "bcdfghkl"[i // 5] + "ander"
        chat.messages = []
        chat.send(f"Patient: {name} was seen.")
        sent = chat.sent_for(name)
        assert sent not in seen
        seen.add(sent)


def test_a_name_found_once_is_replaced_wherever_the_request_says_it(bundle: Bundle) -> None:
    sent = Chat(bundle).send("Patient: Aria Okafor. Aria slept well, okafor_1 too.")
    assert "Aria" not in sent[0]
    assert "okafor" not in sent[0].casefold()


def test_regenerated_answers_are_told_apart_by_all_their_texts(bundle: Bundle) -> None:
    """Two answers to one question; the client goes on with either, and gets that one sent back."""
    chat = Chat(bundle)
    chat.send("Patient: Eleanor Whitfield was seen.")
    surrogate = chat.sent_for("Whitfield")
    first = chat.answer(f"It is {surrogate}.")
    chat.messages.pop()
    chat.send()
    second = chat.answer(f"The name of the patient was {surrogate}.")
    for text, raw in ((first, f"It is {surrogate}."), (second, f"The name of the patient was {surrogate}.")):
        chat.messages[-1] = {"role": "assistant", "content": text}
        assert chat.send(messages=[*chat.messages, {"role": "user", "content": "ok"}])[1] == raw


def test_a_completion_that_grows_keeps_its_draws(bundle: Bundle) -> None:
    policy = PrivacyPolicy.named("content")
    pipeline = Pipeline(bundle, policy, detectors_for(policy), SqliteStore(":memory:"), KEY)
    prompt = "The patient has severe pain.\nDoctor Whitfield was there.\n"
    first = pipeline.prepare({"prompt": prompt}, who=Who("t"), max_tokens=1)
    more = pipeline.prepare({"prompt": prompt + "He left.\n"}, who=Who("t"), max_tokens=1)
    assert more.sent_text.startswith(first.sent_text)
    assert more.epsilon <= bundle.table.eps_in


def test_a_completion_s_answer_that_is_sent_on_is_neither_drawn_nor_charged(bundle: Bundle) -> None:
    policy = PrivacyPolicy.named("content")
    pipeline = Pipeline(bundle, policy, detectors_for(policy), SqliteStore(":memory:"), KEY)
    prompt = "The patient has severe pain.\nDoctor Whitfield said:\n"
    first = pipeline.prepare({"prompt": prompt}, who=Who("t"), max_tokens=1)
    answer = "Lawyers often compare ancient rivers with modern hospitals"
    first.conversation.response().wrote(0, [(answer, answer)])
    more = pipeline.prepare({"prompt": prompt + answer}, who=Who("t"), max_tokens=1)
    assert more.sent_text == first.sent_text + answer
    assert more.epsilon == 0


@pytest.mark.parametrize(
    ("private", "later"),
    [("张伟", "张伟先生的电话是多少？"), ("田中", "田中さんに書いて"), ("김민수", "김민수는 어디에 있나요?"),
     ("علي", "اكتب رسالة لعلي اليوم"), ("דוד", "כתוב מכתב לדוד היום"), ("Li", "Liさんに書いて")],
    ids=["Chinese", "Japanese", "Korean", "Arabic", "Hebrew", "Latin in Japanese"],
)  # fmt: skip
def test_a_short_name_is_found_and_restored_among_letters_of_a_script_that_sets_nothing_between(
    bundle: Bundle, private: str, later: str
) -> None:
    chat = Chat(bundle)
    chat.send(f"The patient is <private>{private}</private>.")
    surrogate = chat.sent_for(private)
    assert private in chat.answer(f"請{surrogate}さん")
    assert private not in chat.send(later)[2]


@pytest.mark.parametrize(
    ("label", "value"),
    [("MRN", "553291"), ("Password", "magpie88Xq"), ("Account number", "88213344"), ("Patient", "Quander")],
)
def test_a_form_of_the_engine_s_that_is_filled_in_protects_what_is_filled_in(
    bundle: Bundle, label: str, value: str
) -> None:
    """The label, which alone says that the value is private, is a quote of the engine's words."""
    chat = Chat(bundle)
    chat.send("I need to register a patient.")
    form = chat.answer(f"Please fill in this form and send it back to me: {label}:")
    sent = chat.send(f"{form} {value}")[2]
    assert sent.startswith(form)
    assert value not in sent


def test_a_value_whose_end_the_engine_wrote_by_chance_is_replaced_whole(bundle: Bundle) -> None:
    chat = Chat(bundle)
    chat.send("Summarise: <private>the merger closes on friday</private>")
    chat.answer("I can help. On friday we all go home early today.")
    sent = chat.send("Note that the merger closes on friday we all go home early")[2]
    assert "merger" not in sent
    assert sent.endswith("we all go home early")


NAMES = ["Adamson", "Brookes", "Castellano", "Whitfield", "Dunmore", "Everhart", "Fairbanks", "Galloway"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\n".join(f"{i}. {n}" for i, n in enumerate(NAMES, 1)), "\n".join(NAMES)),
        (" ".join(f"[{n}](u{i}.example)" for i, n in enumerate(NAMES)), " ".join(NAMES)),
        (" &amp; ".join(NAMES), " & ".join(NAMES)),
        (" ".join(f"{n[:3]}**{n[3:]}**" for n in NAMES), " ".join(NAMES)),
        (" ".join(f"{n[:3]}&#{ord(n[3])};{n[4:]}" for n in NAMES), " ".join(NAMES)),
        ("<ol>" + "".join(f"<li><b>{n[0]}</b>{n[1:]}</li>" for n in NAMES) + "</ol>", "\n".join(NAMES)),
        (", ".join(NAMES), ", ".join(sorted(NAMES))),
        ("It is Whitfield or so.", "Whitfield"),
        ("<think>Whitfield</think> It is Whitfield", "Whitfield!"),
    ],
    ids=["numbers", "links", "entities", "emphasis", "escapes", "HTML", "sorted", "one word", "thoughts"],
)  # fmt: skip
def test_candidates_that_a_client_shows_without_their_markup_go_back_as_candidates(
    bundle: Bundle, written: str, shown: str
) -> None:
    """Were they drawn as the client's words, the right one alone would get the surrogate of the first turn."""
    chat = Chat(bundle)
    chat.send("Patient: Eleanor Whitfield was seen.")
    surrogate = chat.sent_for("Whitfield")
    chat.answer(written)
    chat.messages[-1]["content"] = shown
    sent = chat.send("The fourth.")[1]
    assert surrogate not in sent
    assert "Whitfield" in html.unescape(re.sub(r"</?b>|\*", "", sent))


LETTERS = [
    ("my name is xu qiong, draft a letter", "Dear all, this letter is written for you by {}, with kind regards."),
    ("sign it as xu qiong", "Done, {}."),
    ("sign it as xu qiong", "Done, {}."),
    ("and say xu qiong sends his love", "Done."),
]


@pytest.mark.parametrize(
    ("first", "turns"),
    [*((first, turns) for first in ("an answer", "another question") for turns in (1, 2, 3)),
     *(("a question", turns) for turns in (2, 3, 4))],
)  # fmt: skip
def test_a_history_that_lost_its_beginning_keeps_what_was_private(bundle: Bundle, first: str, turns: int) -> None:
    """Clients drop the oldest messages to fit a window, or rewrite a question above an answer that stays: nothing in
    what is left says that the words are a name.
    """
    chat = Chat(bundle)
    for asked, written in LETTERS[:turns]:
        chat.send(asked)
        surrogate = chat.sent_for("xu qiong")
        chat.answer(written.format(surrogate))
    asked, answered = chat.messages[-2:]
    if first == "another question":
        asked = {"role": "user", "content": "draft a letter"}
    left = [answered] if first == "an answer" else [asked, answered]
    sent = chat.send(messages=[*left, {"role": "user", "content": "once more for xu qiong, shorter"}])
    assert not [text for text in sent if "xu qiong" in text.casefold()]
    assert surrogate in sent[-1]


def test_an_exchange_that_two_conversations_had_leads_to_neither(bundle: Bundle) -> None:
    """Of two strangers who signed alike, none is given the other's memory: a value that nothing protects in the rest
    of a history stays unknown, and no budget is shared.
    """
    store = SqliteStore(":memory:")
    for first in ("Write to <private>xu qiong</private>.", "Write about <private>xu qiong</private>."):
        chat = Chat(bundle, store=store)
        chat.send(first)
        chat.answer("ok.")
        chat.send("sign it as xu qiong")
        chat.answer(f"Done, {chat.sent_for('xu qiong')}.")
    chat.send(messages=[*chat.messages[-2:], {"role": "user", "content": "Patient: Eleanor Whitfield"}])
    assert len(chat.prepared.conversation._payer.path) == 2


def test_two_secrets_that_differ_in_case_are_two(bundle: Bundle) -> None:
    chat = Chat(bundle)
    asked = "Old password: Magpie88xq, new password: magpie88XQ"
    sent = chat.send(asked)[0]
    assert len(set(re.findall(r"secret-\w+", sent))) == 2
    assert chat.answer(sent) == asked
    again = chat.send("Is password: magpie88XQ the new one?")[2]
    assert set(re.findall(r"secret-\w+", again)) == {re.findall(r"secret-\w+", sent)[1]}


def test_a_name_with_and_without_its_accents_is_restored(bundle: Bundle) -> None:
    chat = Chat(bundle)
    chat.send("Patient: Dr. María José García-López. MARIA GARCIA LOPEZ called, Maria was well.")
    surrogate = chat.sent_for("María")
    assert chat.answer(f"Dear {surrogate}, dear Dr. {surrogate}!") == "Dear María, dear Dr. María!"


def test_a_value_in_other_case_or_accents_has_one_surrogate_in_every_turn(bundle: Bundle) -> None:
    chat = Chat(bundle)
    sent = chat.send("my patient is jose ramirez, 67 y/o")[0]
    given, surname = sent.removeprefix("my patient is ").split(",")[0].split()
    chat.answer("Noted.")
    assert chat.send("Remind Jose Ramírez of it.")[2] == f"Remind {given} {surname} of it."
    assert chat.answer(f"Dear {given} {surname}") == "Dear Jose Ramírez"


def test_a_name_that_the_engine_shortens_to_initials_is_restored_with_its_own(bundle: Bundle) -> None:
    chat = Chat(bundle)
    chat.send("Katharina Oluwaseun Oberhuber met Silas Drummond.")
    first, second, last, other, surname = map(chat.sent_for, ("Katharina", "Oluwaseun", "Oberhuber", "Silas", "Drummond"))
    raw = f"{first[0]}. {last}, {first[0]}. {second[0]}. {last} and {other[0]}. {surname}’s"
    assert chat.answer(raw) == "K. Oberhuber, K. O. Oberhuber and S. Drummond’s"
    assert chat.send("so K. Oberhuber it is")[-1] == f"so {first[0]}. {last} it is"


def test_a_date_that_the_engine_reckons_is_the_reader_s_and_comes_back_as_the_engine_s(bundle: Bundle) -> None:
    chat = Chat(bundle)
    hearing = datetime.strptime(chat.send("The hearing of Silas Marsh is on 3 May 2024.")[-1].partition(" on ")[2], "%d %B %Y.")
    reckoned = f"{hearing + timedelta(days=14):%Y-%m-%d}"
    assert chat.answer(f"14 days later is {reckoned}.") == "14 days later is 2024-05-17."
    assert chat.send("Is 2024-05-17 a Friday?")[-1] == f"Is {reckoned} a Friday?"


def test_a_date_that_is_moved_back_is_moved_again_wherever_the_engine_wrote_it(bundle: Bundle) -> None:
    """Else a client that types it again gives the offset away, and with it every date."""
    chat = Chat(bundle)
    hearing = datetime.strptime(chat.send("The hearing of Silas Marsh is on 3 May 2024.")[-1].partition(" on ")[2], "%d %B %Y.")
    turn, prepared, moved = list(chat.messages), chat.prepared, 0
    for before in ("", "a-", "/", ".", "_", "**", "v", "日", "1 ", "1-", "12.", "\\n", "("):
        for after in ("", "-b", "/", "_", "日", "-1", ".1", ",1", " 1", "T10", "**"):
            for layout in ("%d %B %Y", "%Y-%m-%d", "%d/%m/%Y", "%B %d, %Y", "%d.%m.%Y"):
                raw = f"see {before}{(hearing + timedelta(days=14)).strftime(layout)}{after} ok"
                restorer = chat.pipeline.restorer(prepared)
                text = "".join(run.text for run in (*restorer.feed(raw), *restorer.finish()))
                moved += text != raw
                sent = chat.send(messages=[*turn, {"role": "assistant", "content": "ok"}, {"role": "user", "content": text}])[-1]
                assert datetime(2024, 5, 17).strftime(layout) not in sent, raw
    assert moved > 100


@pytest.mark.parametrize("shown", ["17 May 2024", "3 May 2006", "2 May 1980"])
def test_a_date_that_was_moved_back_is_no_public_knowledge(bundle: Bundle, shown: str) -> None:
    """A question of general knowledge keeps its dates, but not one that the reader may have from an answer."""
    asked = "Which film won the award on {} in France?"
    assert Chat(bundle).send(asked.format(shown))[-1] == asked.format(shown), "elsewhere it is public"
    chat = Chat(bundle)
    chat.send("The hearing of Silas Marsh is on 3 May 2024.")
    assert shown not in chat.send(asked.format(shown))[-1]
    assert chat.send(asked.format("29 August 2010"))[-1] == asked.format("29 August 2010")


def test_an_organisation_without_its_legal_form_is_the_same(bundle: Bundle) -> None:
    chat = Chat(bundle)
    surrogate = chat.send("Meridian Foods plc was paid.")[0].split(" plc")[0]
    chat.answer("Noted.")
    assert chat.send("Meridian Foods denies it.")[2] == f"{surrogate} denies it."
    assert chat.answer(f"So {surrogate} denies it.") == "So Meridian Foods denies it."


def test_small_words_that_a_detector_took_before_an_organisation_hide_no_later_mention_of_it() -> None:
    finder = Finder([Original(Kind.ORGANISATION, "client sues Meridian Foods plc", "Bramham plc")])
    assert [found.sent for found in finder.find("So Meridian Foods denies it.")] == ["Bramham"]


def test_a_history_that_begins_with_a_call_of_a_tool_keeps_what_was_private(bundle: Bundle) -> None:
    """Nothing in the call or its result says that the number is a record's; the call's id says whose it is."""
    chat = Chat(bundle)
    chat.send("Patient with MRN 553291 was seen.")
    surrogate = chat.sent_for("553291")
    response = chat.prepared.conversation.response()
    response.wrote(1, [(surrogate, "553291")])
    response.done("", calls=["call_9f3a"])
    call = {"id": "call_9f3a", "type": "function", "function": {"name": "look", "arguments": '{"n": "553291", "more": 1}'}}
    result = {"role": "tool", "tool_call_id": "call_9f3a", "content": "row 553291: ok"}
    for left in ([{"role": "assistant", "content": None, "tool_calls": [call]}, result], [result]):
        request = {"messages": [*left, {"role": "user", "content": "And 553291 now?"}]}
        prepared = chat.pipeline.prepare(request, who=chat.who, max_tokens=1)
        assert "553291" not in str(prepared.request["messages"])
        assert surrogate in prepared.sent_text


def test_a_special_phrase_is_charged_once_and_stays_one_thing_in_every_form_and_turn(bundle: Bundle) -> None:
    chat = Chat(bundle, "sensitive")
    [first] = chat.send("She is diabetic.")
    eps = chat.epsilon
    assert eps == pytest.approx(bundle.table.eps_in)
    drawn = special().forms[key(first.removeprefix("She is ").removesuffix("."))]
    assert (drawn.group, drawn.column) == ("condition.1", 0)
    chat.answer("Understood.")
    later = chat.send("My diabetes, TYPE 2\nDIABETES, and again diabetes.")[-1]
    assert chat.epsilon == pytest.approx(eps)  # type 2 diabetes alone is new
    noun = special().groups["condition.1"].members[drawn.member][1][0]
    assert later.startswith(f"My {noun}, ")
    assert later.endswith(f", and again {noun}.")
    assert chat.answer(f"So {noun} it is.") == "So diabetes it is."
