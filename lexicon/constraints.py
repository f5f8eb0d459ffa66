"""The word pairs that counter-fitting joins or parts: ``+ word word`` synonyms, ``- word word`` antonyms.

They are facts about English collected by Mrksic et al. 2016 (PPDB, WordNet; nmrksic/counter-fitting, Apache-2.0),
cut to the words of the public list.

    python -m lexicon.constraints [--data DIR] [--out constraints.txt.gz]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from cmif_server.provider.lexicon import public_lexicon
from lexicon.sources import DATA
from lexicon.words import OUT as WORDS
from lexicon.words import compress

OUT = WORDS.with_name("constraints.txt.gz")
FILES = {"+": ("ppdb_synonyms.txt",), "-": ("ppdb_antonyms.txt", "wordnet_antonyms.txt")}


def constraints(folder: Path, words: Iterable[str]) -> list[str]:
    """Sorted lines, each pair once; a pair in both lists is an antonym."""
    known = set(words)
    found: dict[tuple[str, str], str] = {}
    for sign, names in FILES.items():
        for name in names:
            for line in (folder / name).read_text("utf-8").splitlines():
                pair = line.split()
                if len(pair) == 2 and pair[0] != pair[1] and known.issuperset(pair):
                    found[min(pair), max(pair)] = sign
    return sorted(f"{sign} {a} {b}" for (a, b), sign in found.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    lines = constraints(args.data / "counterfit", public_lexicon().words)
    args.out.write_bytes(compress("".join(f"{line}\n" for line in lines)))
    print({sign: sum(line[0] == sign for line in lines) for sign in FILES}, args.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
