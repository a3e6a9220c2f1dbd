from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_transrate._lib.array_files import list_arrays

ARRAYS = {
    "conv": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "head": np.arange(8, dtype=">f8").reshape(4, 2),
    "columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "mask": np.array([True, False]),
    "empty": np.empty((0, 3), dtype=np.float16),
}
_NAMES = {"float32": "F32", "int16": "I16", "bool": "BOOL", "float16": "F16"}


def save_safetensors(path, arrays, **changes):
    """Write the published layout: length, JSON header, numbers."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        end = len(data) + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [len(data), end],
        } | changes
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def save(path, arrays):
    if path.suffix == ".safetensors":
        save_safetensors(path, arrays)
    elif path.stem == "small":
        np.savez_compressed(path, **arrays)
    else:
        np.savez(path, **arrays)


@pytest.mark.parametrize("name", ["stored.npz", "small.npz", "arrays.safetensors"])
def test_archives_give_back_what_was_saved(name, tmp_path):
    arrays = {key: a for key, a in ARRAYS.items() if key != "head" or "npz" in name}
    save(tmp_path / name, arrays)
    listed = list_arrays(tmp_path / name)
    assert list(listed) == list(arrays)
    for key, array in arrays.items():
        assert listed[key].shape == array.shape
        assert listed[key].dtype == array.dtype
        assert_array_equal(listed[key].open(), array)


@pytest.mark.parametrize("key", ARRAYS)
def test_a_single_array_has_the_name_of_its_file(key, tmp_path):
    np.save(tmp_path / "resnet18.npy", ARRAYS[key])
    (listed,) = list_arrays(str(tmp_path / "resnet18.npy")).items()
    assert listed[0] == "resnet18"
    assert_array_equal(listed[1].open(), ARRAYS[key])


@pytest.mark.parametrize("name", ["stored.npz", "arrays.safetensors"])
def test_stored_arrays_are_mapped_read_only(name, tmp_path):
    save(tmp_path / name, {"conv": ARRAYS["conv"]})
    array = list_arrays(tmp_path / name)["conv"].open()
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable


def test_numpy_and_a_mapped_member_agree_for_long_names(tmp_path):
    arrays = {"encoder.layers.11/" + "x" * 200: np.arange(3.0), "b": np.eye(2)}
    np.savez(tmp_path / "a.npz", **arrays)
    for key, array in list_arrays(tmp_path / "a.npz").items():
        assert_array_equal(array.open(), arrays[key])


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
def test_objects_are_listed_but_never_unpickled(writer, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    objects = np.array([Bomb()], dtype=object)
    writer(tmp_path / "a.npz", objects=objects, numbers=np.eye(2))
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    listed = list_arrays(tmp_path / "a.npz")
    assert_array_equal(listed["numbers"].open(), np.eye(2))
    for array in (listed["objects"], list_arrays(tmp_path / "a.npy")["a"]):
        with pytest.raises(ValueError, match=r"[Pp]ickle"):
            array.open()


def test_types_that_numpy_lacks_are_bytes(tmp_path):
    array = {"a": ARRAYS["columns"]}
    save_safetensors(tmp_path / "a.safetensors", array, dtype="BF16")
    assert list_arrays(tmp_path / "a.safetensors")["a"].dtype == np.dtype("V2")


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [2, 4]},
        {"data_offsets": [0, 99]},
        {"data_offsets": [12, 24]},
        {"dtype": "F128"},
        {"shape": None},
    ],
)
def test_headers_that_lie_are_refused(changes, tmp_path):
    path = tmp_path / "a.safetensors"
    save_safetensors(path, {"a": ARRAYS["columns"]}, **changes)
    with pytest.raises(ValueError, match=r"intact \.safetensors file"):
        list_arrays(path)


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(ValueError, match=f"claims {2**60} bytes"):
        list_arrays(tmp_path / "a.safetensors")


def test_other_endings_are_refused():
    with pytest.raises(ValueError, match=r"ending in \.npy, \.npz, \.safetensors"):
        list_arrays("features.pkl")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        list_arrays(tmp_path / "nothing.npy")


@pytest.mark.parametrize("name", ["a.npy", "stored.npz", "small.npz", "a.safetensors"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read_never_worse(name, tmp_path, data):
    path = tmp_path / name
    arrays = {"conv": ARRAYS["conv"], "mask": ARRAYS["mask"]}
    if name == "a.npy":
        np.save(path, ARRAYS["conv"])
    else:
        save(path, arrays)
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[position] = data.draw(st.integers(0, 255))
    else:
        del content[position:]
    path.write_bytes(content)
    try:
        opened = [array.open() for array in list_arrays(path).values()]
    except ValueError:
        return
    assert all(np.asarray(array).nbytes <= 2**16 for array in opened)
