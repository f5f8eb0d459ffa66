from __future__ import annotations

from cmif_lab.answers.notes import generate
from cmif_lab.answers.scores import contained


def test_a_note_holds_its_truth_and_every_private_part() -> None:
    notes = generate(300)
    assert {note.field for note in notes[:3]} == {"hospital", "bank", "law"}
    for note in notes:
        assert contained(note.text, (note.truth,))
        assert all(part in note.text for part in note.private)


def test_the_question_alone_does_not_tell_the_answer() -> None:
    assert not any(contained(note.question, (note.truth,)) for note in generate(300))


def test_the_same_seed_gives_the_same_notes_and_a_longer_list_begins_with_the_shorter() -> None:
    assert generate(9) == generate(30)[:9]
    assert generate(9, seed=1) != generate(9)
