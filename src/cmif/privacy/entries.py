"""The content of a privacy table, not yet believed: plain arrays, their digest, their bytes on disk.

Only `cmif.privacy.certify` turns entries into something that may be sampled. Bytes on disk are a ZIP of
``.npy`` members without pickle and without timestamps, so that the same table is the same file.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from cmif.errors import TableError

FORMAT = 1
MAX_BYTES = 512 << 20  # of all members together, checked before anything is allocated
_ARRAYS = {
    "classes": ("<u1", 1),
    "members": ("<i4", 1),
    "starts": ("<i4", 1),
    "columns": ("<i4", 2),
    "weights": ("<u8", 2),
}


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """n words in b buckets, at most w outputs a bucket.

    ``members`` lists word indices bucket by bucket, bucket i being ``members[starts[i]:starts[i + 1]]``.
    ``columns[i]`` holds the word indices that bucket i can report, then -1. ``weights[x]`` are the integers
    of word x over the columns of its bucket; they sum to 2^48 and mean Q(y|x) = weight / 2^48.
    """

    words: tuple[str, ...]
    classes: npt.NDArray[np.uint8]  # [n]
    members: npt.NDArray[np.int32]  # [n]
    starts: npt.NDArray[np.int32]  # [b + 1]
    columns: npt.NDArray[np.int32]  # [b, w]
    weights: npt.NDArray[np.uint64]  # [n, w]
    k: int
    eps_in: float
    eps_out: float
    gamma: Fraction
    law: str
    bundle: str
    digest: str = ""

    def __post_init__(self) -> None:
        for name, (dtype, _) in _ARRAYS.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def claims(self) -> dict[str, Any]:
        """What the table says of itself, exactly: floats as hexadecimal, gamma as a fraction."""
        return {
            "bundle": self.bundle,
            "eps_in": self.eps_in.hex(),
            "eps_out": self.eps_out.hex(),
            "format": FORMAT,
            "gamma": f"{self.gamma.numerator}/{self.gamma.denominator}",
            "k": self.k,
            "law": self.law,
        }

    def compute_digest(self) -> str:
        """sha256 (hex) over claims, words, classes, buckets and weights, each with its length before it."""
        h = hashlib.sha256(b"cmif privacy table\n")
        parts = [json.dumps(self.claims, sort_keys=True).encode(), "\n".join(self.words).encode()]
        for name in _ARRAYS:
            array = getattr(self, name)
            parts += [repr((name, array.shape)).encode(), array.tobytes()]
        for part in parts:
            h.update(len(part).to_bytes(8, "little"))
            h.update(part)
        return h.hexdigest()


def dump(entries: Entries) -> bytes:
    """The file's bytes."""
    members = {name: getattr(entries, name) for name in _ARRAYS}
    members["words"] = np.frombuffer("\n".join(entries.words).encode(), dtype=np.uint8)
    claims = json.dumps({**entries.claims, "digest": entries.digest}, sort_keys=True)
    members["claims"] = np.frombuffer(claims.encode(), dtype=np.uint8)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in members.items():
            body = io.BytesIO()
            np.lib.format.write_array(body, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, body.getvalue())
    return out.getvalue()


def parse(data: bytes) -> Entries:
    """Entries from a file's bytes; TableError when they are not a table of this format. Certifies nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {f"{name}.npy" for name in (*_ARRAYS, "words", "claims")}
            listed = archive.infolist()
            if {i.filename for i in listed} != names or len(listed) != len(names):
                raise TableError("The privacy table does not hold the members of its format.")
            if sum(i.file_size for i in listed) > MAX_BYTES:
                raise TableError(f"The privacy table unpacks to more than {MAX_BYTES >> 20} MiB.")
            raw = {i.filename[:-4]: archive.read(i) for i in listed}
        arrays = {name: _array(raw[name], dtype, ndim) for name, (dtype, ndim) in _ARRAYS.items()}
        claims = json.loads(bytes(_array(raw["claims"], "<u1", 1)))
        words = bytes(_array(raw["words"], "<u1", 1)).decode()
        if claims.pop("format") != FORMAT:
            raise TableError(f"The privacy table is not of format {FORMAT}.", hint="Make the bundle again.")
        return Entries(
            words=tuple(words.split("\n")) if words else (),
            k=_integer(claims["k"]),
            eps_in=float.fromhex(claims["eps_in"]),
            eps_out=float.fromhex(claims["eps_out"]),
            gamma=Fraction(claims["gamma"]),
            law=str(claims["law"]),
            bundle=str(claims["bundle"]),
            digest=str(claims["digest"]),
            **arrays,
        )
    except TableError:
        raise
    except Exception:  # hostile bytes: zipfile alone has a dozen ways to fail, and each means the same
        raise TableError("The privacy table is malformed: truncated, altered or of another kind.") from None


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("not an integer")
    return value


def _array(raw: bytes, dtype: str, ndim: int) -> npt.NDArray[Any]:
    """One ``.npy`` member: its header is checked against its length before anything is allocated by it."""
    body = io.BytesIO(raw)
    if np.lib.format.read_magic(body) != (1, 0):
        raise ValueError("npy version")
    shape, fortran, found = np.lib.format.read_array_header_1_0(body)
    if found != np.dtype(dtype) or fortran or len(shape) != ndim:
        raise ValueError("npy header")
    if math.prod(shape) * found.itemsize != len(raw) - body.tell():
        raise ValueError("npy length")
    return np.frombuffer(raw, dtype=found, offset=body.tell()).reshape(shape)
