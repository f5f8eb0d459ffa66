"""National numbers of people and firms of the EU, UK, US, India, Brazil and more: check digits by python-stdnum.

A number whose digits do not check is still a long number (:mod:`phones`) or a code (:mod:`records`) and does not
leave; the check decides the kind. Modules of stdnum are imported when the first number of their form is met, and none
of them uses the network unless its ``check_*`` functions are called, which this does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

from cmif.enclave.detect.scan import within
from cmif.types import Kind, Span

# Form, and the modules of stdnum of which one must accept it; none where the form alone decides. Upper case.
_FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{3}[- ]\d{2}[- ]\d{4}", ()),  # US SSN and ITIN: the layout alone
    (r"\d{2}-\d{7}", ()),  # US EIN
    (r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", ()),  # UK national insurance
    (r"\d{3}[ -]\d{3}[ -]\d{4}|\d{10}", ("gb.nhs",)),
    (r"\d{10}K?", ("gb.utr",)),
    (r"\d{2} ?\d{3} ?\d{3} ?\d{3}", ("de.idnr", "pl.pesel", "hr.oib", "gr.amka", "be.nn")),
    (r"\d{2}\.\d{2}\.\d{2}-\d{3}[. ]\d{2}", ("be.nn",)),
    (r"\d{8}[ -]?[A-Z]|\d{1,2}\.\d{3}\.\d{3}[ .-]?[A-Z]", ("es.dni",)),
    (r"[XYZ][ .-]?\d{7}[ .-]?[A-Z]|[XYZ][ .-]?\d\.\d{3}\.\d{3}[ .-]?[A-Z]", ("es.nie",)),
    (r"[ABCDEFGHJNPQRSUVW][ -]?\d{7}[0-9A-J]", ("es.cif",)),
    (r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", ("fr.nir",)),
    (r"\d{3} ?\d{3} ?\d{3} ?\d{5}", ("fr.siret",)),
    (r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", ("it.codicefiscale",)),
    (r"\d{3}[ -]?\d{3}[ -]?\d{2}[ -]?\d{2}|\d{3}-\d{2}-\d{2}-\d{3}", ("pl.nip",)),
    (r"(?:\d{2})?\d{6}[-+]?\d{4}", ("se.personnummer", "dk.cpr", "bg.egn")),
    (r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", ("fi.hetu",)),
    (r"\d{6}-?\d{5}", ("lv.pvn", "no.fodselsnummer")),
    (r"\d{6} \d{5}", ("no.fodselsnummer",)),
    (r"[1-6]\d{10}", ("ee.ik", "lt.asmens")),
    (r"\d{6}/?\d{3,4}", ("cz.rc",)),
    (r"[1-9]\d{12}", ("ro.cnp", "si.emso")),
    (r"\d{7}[A-W][A-IW]?", ("ie.pps",)),
    (r"\d{8} ?\d ?[A-Z0-9]{2}\d", ("pt.cc",)),
    (r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}|\d{3} \d{3} \d{3}", ("nl.bsn", "pt.nif")),
    (r"(?:AT ?U|BE ?[01]|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)"
     r"[ ]?[0-9A-Z](?:[ .-]?[0-9A-Z]){6,12}", ("eu.vat",)),
    (r"GB ?\d{3} ?\d{4} ?\d{2}(?: ?\d{3})?", ("gb.vat",)),
    (r"756\.?\d{4}\.?\d{4}\.?\d{2}", ("ch.ssn",)),
    (r"CHE-?\d{3}\.?\d{3}\.?\d{3}", ("ch.uid",)),
    (r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", ("in_.aadhaar",)),
    (r"[A-Z]{5}\d{4}[A-Z]", ("in_.pan",)),
    (r"\d{2}[A-Z]{5}\d{4}[A-Z][0-9A-Z]Z[0-9A-Z]", ("in_.gstin",)),
    (r"\d{3}\.?\d{3}\.?\d{3}[-/]?\d{2}", ("br.cpf",)),
    (r"\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}", ("br.cnpj",)),
    (r"\d{3}[ -]\d{3}[ -]\d{3}", ("ca.sin",)),
)  # fmt: skip
_RULES = tuple((re.compile(rf"(?<![\w.-])(?:{form})(?![\w]|[-/]\d)"), modules) for form, modules in _FORMS)
_ANY = re.compile(r"\d(?:[ ./+-]?[A-Z]?\d){3}")  # every form above has this
_RUN = re.compile(r"[\dA-Z ./+-]{8,}")  # and consists of these, at least as many


def national(text: str) -> Iterator[Span]:
    """NATIONAL_ID spans; they may overlap."""
    runs = [(m.start(), m.end() + 2) for m in _RUN.finditer(text) if _ANY.search(text, *m.span())]
    for pattern, modules in _RULES if runs else ():
        for match in within(pattern, text, runs):  # two characters more for what must not follow
            if not modules or is_valid(match.group(), modules):
                yield Span(*match.span(), Kind.NATIONAL_ID, "patterns")


def is_valid(written: str, modules: tuple[str, ...]) -> bool:
    """Whether the check of one of stdnum's ``modules`` accepts ``written``; a row of noughts is no number."""
    return any(char in "123456789" for char in written) and any(
        bool(_module(name).is_valid(written)) for name in modules
    )


@lru_cache(maxsize=64)
def _module(name: str) -> Any:
    return import_module(f"stdnum.{name}")
