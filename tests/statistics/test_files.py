"""Saved statistics: all or nothing, and never anything that runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_transrate.exceptions import CorruptStatisticsError
from sklearn_transrate.statistics import (
    ClassMoments,
    JointTable,
    RowSample,
    Statistic,
    TargetMoments,
    load_statistics,
    save_statistics,
)
from sklearn_transrate.statistics import _files as files
from sklearn_transrate.testing import assert_statistics_equal
from sklearn_transrate.testing.strategies import labelled_features

LABELS = ["integers", "gaps", "negative", "strings"]
in_one_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "statistics.npz"


def some_statistics():
    moments = ClassMoments.from_batch([[0.0, 1.0], [2.0, 3.0]], ["a", "b"])
    return {"layer": {"moments": moments}}


def saved_bytes(path):
    save_statistics(path, some_statistics(), metadata={"n": 1})
    return path.read_bytes()


# -- there and back ------------------------------------------------------------


@in_one_folder
@given(labelled_features(labels=LABELS))
def test_statistics_come_back_as_they_were(path, data):
    X, y = data
    proba = np.full((len(X), 2), 0.5)
    saved = {
        "first": {
            kind: ClassMoments.from_batch(X, y, scatter=kind)
            for kind in ("class", "pooled", "diagonal")
        },
        "second": {
            "norms": ClassMoments.from_batch(X, y, norms=True),
            "rows": RowSample.from_batch(X, y, max_samples=4, seed=-7),
            "joint": JointTable.from_batch(proba, y),
            "targets": TargetMoments.from_batch(X, X[:, :1]),
            "empty": ClassMoments.empty(scatter="pooled", norms=True),
        },
    }
    save_statistics(path, saved)
    loaded, metadata = load_statistics(path)
    assert metadata == {}
    assert list(loaded) == list(saved)
    for layer, named in saved.items():
        assert list(loaded[layer]) == list(named)
        for name, statistic in named.items():
            assert loaded[layer][name].config == statistic.config
            assert_statistics_equal(loaded[layer][name], statistic, rtol=0)


@pytest.mark.parametrize(
    "labels",
    [["x", 2], [True, "x"], [1.5, "x"], [2**70, -1], [True, False], [1.5, 2.5]],
)
def test_labels_keep_their_types(path, labels):
    y = np.empty(2, dtype=object)
    y[:] = labels
    save_statistics(path, {None: {"rows": RowSample.from_batch([[0.0], [1.0]], y)}})
    targets = load_statistics(path)[0][None]["rows"].targets.tolist()
    assert targets == labels
    assert [type(label) for label in targets] == [type(label) for label in labels]


def test_layers_without_a_name_and_numbered_ones_come_back(path):
    moments = ClassMoments.from_batch([[0.0], [1.0]], [0, 1])
    save_statistics(path, {None: {"m": moments}, 3: {"m": moments}})
    assert list(load_statistics(path)[0]) == [None, 3]


def test_metadata_come_back(path):
    facts = {"model": "größtes Modell", "seconds": 0.25, "tags": ["a", None]}
    save_statistics(path, {}, metadata=facts)
    assert load_statistics(path) == ({}, facts)


def test_folders_on_the_way_are_made(tmp_path):
    path = tmp_path / "not" / "there" / "yet.npz"
    save_statistics(os.fspath(path), some_statistics())
    assert path.exists()


# -- all or nothing ------------------------------------------------------------


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = saved_bytes(path)

    def interrupted(file, **arrays):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(files.np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_statistics(path, some_statistics())
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_the_file_has_the_usual_permissions(path):
    saved_bytes(path)
    other = path.with_name("other")
    other.write_bytes(b"")
    assert path.stat().st_mode == other.stat().st_mode


def test_what_cannot_be_saved_is_refused_before_anything_is_written(path):
    y = np.empty(1, dtype=object)
    y[0] = ("x", 1)
    for statistic, message in (
        (RowSample.from_batch([[0.0]], y), r"Cannot save the label \('x', 1\)"),
        ("nothing", "Cannot save a str"),
    ):
        with pytest.raises(TypeError, match=message):
            save_statistics(path, {"layer": {"name": statistic}})
    assert os.listdir(path.parent) == []


def test_statistics_of_other_packages_are_refused_by_name(path):
    class ClassMomentsOfMine(ClassMoments):
        pass

    with pytest.raises(TypeError, match="Cannot save a ClassMomentsOfMine"):
        save_statistics(path, {"a": {"b": ClassMomentsOfMine.empty()}})


def test_metadata_that_json_cannot_hold_are_refused(path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_statistics(path, {}, metadata={"model": object()})
    assert os.listdir(path.parent) == []


def test_every_kind_of_this_package_can_be_saved():
    from sklearn_transrate import statistics

    public = [getattr(statistics, name) for name in statistics.__all__]
    kinds = {
        kind.__name__
        for kind in public
        if isinstance(kind, type) and issubclass(kind, Statistic) and kind != Statistic
    }
    assert set(files._TYPES) == kinds


# -- damaged and foreign files -------------------------------------------------


@in_one_folder
@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(path, share):
    whole = saved_bytes(path)
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorruptStatisticsError, match="Cannot read saved statistics"):
        load_statistics(path)


@in_one_folder
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_a_flipped_byte_is_noticed_or_harmless(path, place, flip):
    damaged = bytearray(saved_bytes(path))
    damaged[place % len(damaged)] ^= flip
    path.write_bytes(damaged)
    try:
        loaded, metadata = load_statistics(path)
    except CorruptStatisticsError:
        return
    assert metadata == {"n": 1}
    assert_statistics_equal(
        loaded["layer"]["moments"], some_statistics()["layer"]["moments"], rtol=0
    )


def write_npz(path, header, **arrays):
    np.savez(path, header=np.array(json.dumps(header)), **arrays)


def good_header(**changes):
    header = {"format": files.FORMAT, "version": 1, "entries": [], "metadata": {}}
    return header | changes


ENTRY = {"layer": None, "name": "m", "type": "ClassMoments", "labels": {}}


@pytest.mark.parametrize(
    "header",
    [
        [],
        {},
        {"format": "something else", "version": 1},
        {"format": files.FORMAT},
        good_header(version="new"),
        good_header(entries=[{"layer": None}]),
        good_header(entries=[ENTRY]),
        good_header(entries=[ENTRY | {"type": "Path"}]),
        good_header(entries=[ENTRY | {"layer": []}]),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(path, header):
    write_npz(path, header)
    with pytest.raises(CorruptStatisticsError):
        load_statistics(path)


def test_a_newer_format_is_refused_with_the_remedy(path):
    write_npz(path, good_header(version=files.FORMAT_VERSION + 1))
    with pytest.raises(CorruptStatisticsError, match="Update sklearn-transrate"):
        load_statistics(path)


def test_the_current_format_is_read(path):
    write_npz(path, good_header(version=files.FORMAT_VERSION))
    assert load_statistics(path) == ({}, {})


def foreign_files():
    npy, npz, text_zip = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, np.eye(2))
    np.savez(npz, features=np.eye(2))
    with zipfile.ZipFile(text_zip, "w") as archive:
        archive.writestr("header.npy", "not an array")
    return {
        "empty": b"",
        "text": b"layer,score\nconv1,0.5\n",
        "one array": npy.getvalue(),
        "other arrays": npz.getvalue(),
        "zipped text": text_zip.getvalue(),
        "pickle": pickle.dumps({"format": files.FORMAT}),
    }


@pytest.mark.parametrize("kind", foreign_files())
def test_a_foreign_file_is_refused(path, kind):
    path.write_bytes(foreign_files()[kind])
    with pytest.raises(CorruptStatisticsError, match="Cannot read saved statistics"):
        load_statistics(path)


class Trap:
    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_pickled_objects_are_refused_and_do_not_run(path):
    trap = np.empty(1, dtype=object)
    trap[0] = Trap()
    np.savez(path, header=np.array(json.dumps(good_header(entries=[ENTRY]))))
    for member in ("header.npy", "0/classes.npy"):
        saved_bytes(path)
        array = io.BytesIO()
        np.lib.format.write_array(array, trap, allow_pickle=True)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        assert member in members
        members[member] = array.getvalue()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        with pytest.raises(CorruptStatisticsError, match="Object arrays"):
            load_statistics(path)
    assert not Trap.sprung


def test_a_missing_file_is_said_to_be_missing(path):
    with pytest.raises(FileNotFoundError):
        load_statistics(path)


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(OSError, match="directory"):
        load_statistics(tmp_path)
