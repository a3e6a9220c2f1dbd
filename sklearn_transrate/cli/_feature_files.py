"""Features of several layers, batch by batch, into one file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np
from numpy.lib import format as npy

from sklearn_transrate.cli._feature_sources import LABEL_NAMES

__all__ = ["FEATURE_ENDINGS", "FeatureWriter"]

FEATURE_ENDINGS = (".npz", ".npy", ".safetensors")
SAFETENSORS = {
    "f2": "F16", "f4": "F32", "f8": "F64",
    "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64",
    "u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64", "b1": "BOOL",
}  # fmt: skip


class _Part(NamedTuple):
    stream: IO[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype


class FeatureWriter:
    """Writes layers as they come, and the file when all rows are there.

    Each layer grows in a file of its own, in a folder beside the target, and nothing
    larger than a batch is held. The target appears at the end, whole, or not at all.

    Parameters
    ----------
    path : Path
        An .npz, .npy or .safetensors file.
    n_rows : int
        Rows that will come.
    dtype : str, default=None
        Type of the stored numbers; None keeps that of the features.
    """

    def __init__(self, path: Path, n_rows: int, dtype: str | None = None) -> None:
        self.path = path
        self._n_rows, self._dtype = n_rows, dtype
        self._parts: dict[str, _Part] = {}
        self._n_written = 0

    def __enter__(self) -> Self:
        parent = self.path.absolute().parent
        self._folder = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=parent))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for part in self._parts.values():
            part.stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Name, sizes and type of what was written."""
        return [
            {
                "layer": layer,
                "n_samples": part.shape[0],
                "n_features": part.shape[1],
                "dtype": str(part.dtype),
            }
            for layer, part in self._parts.items()
        ]

    def write(self, features: Mapping[str, np.ndarray]) -> int:
        """Append one batch; returns how many rows there are now."""
        for layer, rows in features.items():
            if layer not in self._parts:
                self._parts[layer] = self._begin(rows)
            part = self._parts[layer]
            if rows.shape[1:] != part.shape[1:]:
                raise ValueError(
                    f"Expected {part.shape[1]} features of layer {layer!r} in every "
                    f"batch, got {rows.shape[1]}. Choose a pooling that gives rows of "
                    "one length."
                )
            part.stream.write(_cast(rows, part.dtype, layer).tobytes())
        self._n_written += len(next(iter(features.values())))
        return self._n_written

    def finish(self, labels: np.ndarray | None = None) -> None:
        """Put the layers, and labels, into the target."""
        if self._n_written != self._n_rows or not self._parts:
            raise ValueError(
                f"Expected {self._n_rows} rows, got {self._n_written}. Use a layer "
                "that keeps one row per sample."
            )
        for part in self._parts.values():
            part.stream.flush()
        target = self._folder / "target"
        pack = {
            ".npy": self._pack_npy,
            ".npz": self._pack_npz,
            ".safetensors": self._pack_safetensors,
        }[self.path.suffix.lower()]
        pack(target, labels)
        os.replace(target, self.path)

    def _begin(self, rows: np.ndarray) -> _Part:
        stream = (self._folder / str(len(self._parts))).open("w+b")
        dtype = np.dtype(self._dtype or rows.dtype).newbyteorder("<")
        return _Part(stream, (self._n_rows, *rows.shape[1:]), dtype)

    def _pack_npy(self, target: Path, labels: np.ndarray | None) -> None:
        (part,) = self._parts.values()
        with target.open("wb") as out:
            _copy(part, out)

    def _pack_npz(self, target: Path, labels: np.ndarray | None) -> None:
        with zipfile.ZipFile(target, "w", allowZip64=True) as archive:

            def member(name: str) -> IO[bytes]:
                # A name of one's own keeps the slash that begins names of ONNX.
                entry = zipfile.ZipInfo(f"{name}.npy")
                return archive.open(entry, "w", force_zip64=True)

            for layer, part in self._parts.items():
                with member(layer) as out:
                    _copy(part, out)
            if labels is not None:
                with member(self._label_name()) as out:
                    npy.write_array(out, labels, allow_pickle=False)

    def _pack_safetensors(self, target: Path, labels: np.ndarray | None) -> None:
        header, place = {}, 0
        arrays = {name: (p.shape, p.dtype) for name, p in self._parts.items()}
        if labels is not None:
            labels = np.ascontiguousarray(labels, labels.dtype.newbyteorder("<"))
            arrays[self._label_name()] = (labels.shape, labels.dtype)
        for name, (shape, dtype) in arrays.items():
            end = place + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            header[name] = {
                "dtype": SAFETENSORS[dtype.str[1:]],
                "shape": shape,
                "data_offsets": [place, end],
            }
            place = end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with target.open("wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            for part in self._parts.values():
                part.stream.seek(0)
                shutil.copyfileobj(part.stream, out)
            if labels is not None:
                out.write(labels.tobytes())

    def _label_name(self) -> str:
        return next(name for name in LABEL_NAMES if name not in self._parts)


def _copy(part: _Part, out: IO[bytes]) -> None:
    facts = {"descr": npy.dtype_to_descr(part.dtype), "fortran_order": False}
    npy.write_array_header_1_0(out, facts | {"shape": part.shape})
    part.stream.seek(0)
    shutil.copyfileobj(part.stream, out)


def _cast(rows: np.ndarray, dtype: np.dtype, layer: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(rows, dtype=dtype)
    if np.isfinite(rows).all() and not np.isfinite(cast).all():
        raise ValueError(
            f"Layer {layer!r} has values up to {np.abs(rows).max():.3g}, which "
            f"{dtype} cannot hold. Use --dtype float32."
        )
    return cast
