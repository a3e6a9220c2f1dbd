"""Arrays in .npy, .npz and .safetensors files, memory-mapped, never unpickled."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

__all__ = ["ArrayOnDisk", "list_arrays"]

# Types that numpy lacks are read as bytes of that size, for the caller to refuse.
_SAFETENSORS_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "V2",
    "F8_E4M3": "V1",
    "F8_E5M2": "V1",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
_LONGEST_JSON = 100_000_000


class ArrayOnDisk(NamedTuple):
    """What a file's header says of an array.

    Attributes
    ----------
    shape : tuple of int
        Its shape.
    dtype : numpy.dtype
        Its type.
    open : callable
        Returns the array: a read-only memory map, or, for a compressed member of an
        archive, an array in memory.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    open: Callable[[], np.ndarray]


def list_arrays(path: str | os.PathLike) -> dict[str, ArrayOnDisk]:
    """Read the headers of all arrays in a file; the numbers stay on disk.

    Parameters
    ----------
    path : str or path-like
        A file whose name ends in .npy, .npz or .safetensors.

    Returns
    -------
    arrays : dict of {name: ArrayOnDisk}
        In the order of the file. The array of an .npy file has the file's name
        without its ending.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the name has another ending, or the file is damaged. Arrays of Python
        objects are listed, but opening one raises this error.

    Notes
    -----
    Memory maps also serve the members of an archive by ``numpy.savez``, which are
    stored as they are; ``numpy.savez_compressed`` gives that up.
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise ValueError(
            f"Expected a file ending in {', '.join(_READERS)}, got {str(path)!r}. Save "
            "arrays with numpy.save or numpy.savez."
        )
    with _as_value_error(path):
        return _READERS[path.suffix](path)


@contextmanager
def _as_value_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # Damage surfaces anywhere: zip, zlib, json, tokenize.
        raise ValueError(
            f"Expected {str(path)!r} to be an intact {path.suffix} file, but it could "
            f"not be read: {error or type(error).__name__}. Write it again."
        ) from error


def _list_npy(path: Path) -> dict[str, ArrayOnDisk]:
    with path.open("rb") as stream:
        array = _read_npy_header(stream, path, offset=0)
    return {path.stem: array}


def _list_npz(path: Path) -> dict[str, ArrayOnDisk]:
    arrays = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            stored = member.compress_type == zipfile.ZIP_STORED
            start = _start_of_member(raw, member) if stored else None
            with archive.open(member) as stream:
                array = _read_npy_header(stream, path, offset=start)
            if prod(array.shape) * array.dtype.itemsize > member.file_size:
                raise ValueError(f"array {name!r} is longer than its place")
            if start is None and not array.dtype.hasobject:
                array = array._replace(open=partial(_load_member, path, name))
            arrays[name] = array
    return arrays


def _start_of_member(raw: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member begin, after its own short header."""
    raw.seek(member.header_offset + 26)
    name_length, extra_length = struct.unpack("<HH", raw.read(4))
    return member.header_offset + 30 + name_length + extra_length


def _read_npy_header(stream: BinaryIO, path: Path, offset: int | None) -> ArrayOnDisk:
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, is_fortran, dtype = npy.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, is_fortran, dtype = npy.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} of the format is for records only")
    if dtype.hasobject:
        return ArrayOnDisk(shape, dtype, partial(_refuse_objects, path))
    start = (offset or 0) + stream.tell()
    order = "F" if is_fortran else "C"
    return ArrayOnDisk(shape, dtype, partial(_map, path, dtype, start, shape, order))


def _list_safetensors(path: Path) -> dict[str, ArrayOnDisk]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(size - 8, _LONGEST_JSON):
            raise ValueError(f"its header claims {length} bytes")
        header = json.loads(stream.read(length))
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype = np.dtype(_SAFETENSORS_DTYPES[entry["dtype"]])
        shape = tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        if end - begin != prod(shape) * dtype.itemsize or 8 + length + end > size:
            raise ValueError(f"array {name!r} does not fill its place")
        opener = partial(_map, path, dtype, 8 + length + begin, shape, "C")
        arrays[name] = ArrayOnDisk(shape, dtype, opener)
    return arrays


def _map(
    path: Path, dtype: np.dtype, offset: int, shape: tuple[int, ...], order: str
) -> np.ndarray:
    if prod(shape) == 0:  # Nothing cannot be mapped.
        return np.empty(shape, dtype=dtype)
    with _as_value_error(path):
        return np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order=order)


def _load_member(path: Path, name: str) -> np.ndarray:
    with _as_value_error(path), np.load(path, allow_pickle=False) as archive:
        return archive[name]


def _refuse_objects(path: Path) -> np.ndarray:
    raise ValueError(
        f"Expected numbers in {str(path)!r}, got Python objects, which only unpickling "
        "could read. A pickle can run any code, so it is never loaded. Save an array "
        "of numbers or strings."
    )


_READERS = {".npy": _list_npy, ".npz": _list_npz, ".safetensors": _list_safetensors}
