"""The public words of cover requests: the shipped file is what the lists make, and no member gives itself away."""

from __future__ import annotations

from lexicon.cover import OUT, rows

from cmif.enclave.cover import _groups
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif_server.provider.lexicon import public_lexicon


def test_the_shipped_file_is_what_the_lists_make() -> None:
    lexicon = public_lexicon()
    counts = {word.lower(): float(count) for word, count in zip(lexicon.words, lexicon.counts, strict=True)}
    made = "".join(f"{kind}\t{word}\t{count}\n" for kind, word, count in rows(counts))
    assert OUT.read_text("utf-8") == made


def test_every_member_would_be_found_if_it_were_the_true_word() -> None:
    """A decoy that no detector finds could never have been covered, so the engine would strike it out."""
    detectors = detectors_for(PrivacyPolicy.named("sensitive"))
    for group in _groups(16):
        for word in group.words:
            text = f"I am {word} years old." if word.isdigit() else f"We spoke of {word} today."
            spans = [span for detector in detectors for span in detector.detect(text)]
            assert any(text[span.start : span.end].lower() == word for span in spans), word


def test_members_of_a_group_take_the_same_article() -> None:
    for group in _groups(16):
        assert len({word[0] in "aeiou" and not word.startswith(("eu", "uk", "uni")) for word in group.words}) == 1
