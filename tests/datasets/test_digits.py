"""Source and target tasks made of handwritten digits."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_transrate.datasets import (
    digits_source_names,
    load_digits_sources,
    load_digits_target,
)

SIDE = 12


@pytest.fixture(scope="module")
def sources():
    return load_digits_sources(n_copies=2, random_state=0)


def strokes(X):
    """What stays of each image wherever it is shown: its levels of ink, sorted."""
    return {tuple(np.sort(row[row > 0]).tolist()) for row in X}


def as_images(task):
    return task.X.reshape(-1, SIDE, SIDE)


# -- what all tasks share --------------------------------------------------------------


def test_every_task_has_as_many_samples_of_canvas_size(sources):
    assert list(sources) == digits_source_names()
    n_samples = len(sources["digits"].y)
    for name, source in sources.items():
        assert source.name == name
        assert source.X.shape == (n_samples, SIDE**2)
        assert source.y.shape == (n_samples,)
        assert len(np.unique(source.y)) >= 2


def test_pixels_are_shares_of_ink(sources):
    for source in sources.values():
        assert source.X.min() == 0
        assert source.X.max() == 1


def test_no_source_shows_an_image_of_the_target(sources):
    target = load_digits_target(random_state=0)
    hidden = strokes(target.X_train) | strokes(target.X_test)
    for name in ("digits", "few", "rotated", "turns", "scrambled", "centred"):
        assert not strokes(sources[name].X) & hidden, name


def test_a_task_does_not_depend_on_the_others_asked_for(sources):
    alone = load_digits_sources(["turns"], n_copies=2, random_state=0)["turns"]
    np.testing.assert_array_equal(alone.X, sources["turns"].X)
    np.testing.assert_array_equal(alone.y, sources["turns"].y)


def test_names_decide_order():
    assert list(load_digits_sources(["where", "few"], n_copies=1)) == ["where", "few"]


def test_another_seed_shows_other_places(sources):
    other = load_digits_sources(["digits"], n_copies=2, random_state=1)["digits"]
    assert not np.array_equal(other.X, sources["digits"].X)
    assert strokes(other.X) == strokes(sources["digits"].X)


def test_a_random_state_object_moves_on():
    rng = np.random.RandomState(0)
    first = load_digits_sources(["digits"], n_copies=1, random_state=rng)["digits"]
    second = load_digits_sources(["digits"], n_copies=1, random_state=rng)["digits"]
    assert not np.array_equal(first.X, second.X)


# -- what sets each task apart ---------------------------------------------------------


@pytest.mark.parametrize("name", ["parity", "zero", "noisy", "where", "random"])
def test_tasks_that_ask_something_else_show_the_same_images(sources, name):
    np.testing.assert_array_equal(sources[name].X, sources["digits"].X)


@pytest.mark.parametrize("name", ["rotated", "inverted", "scrambled", "centred"])
def test_tasks_that_show_something_else_ask_the_same(sources, name):
    np.testing.assert_array_equal(sources[name].y, sources["digits"].y)
    assert not np.array_equal(sources[name].X, sources["digits"].X)


def test_parity_and_zero_follow_from_the_digit(sources):
    digits = sources["digits"].y
    np.testing.assert_array_equal(sources["parity"].y, digits % 2)
    np.testing.assert_array_equal(sources["zero"].y, digits == 0)


def test_four_in_ten_noisy_labels_are_drawn_at_random(sources):
    # One in five draws hits the right digit; 5 standard errors of 1803 samples.
    changed = np.mean(sources["noisy"].y != sources["digits"].y)
    assert abs(changed - 0.4 * 0.8) < 5 * np.sqrt(0.32 * 0.68 / 1803)


def test_random_labels_keep_their_frequencies_and_nothing_else(sources):
    random, digits = sources["random"].y, sources["digits"].y
    np.testing.assert_array_equal(np.bincount(random), np.bincount(digits))
    assert abs(np.mean(random == digits) - 0.2) < 0.05


def test_few_shows_ten_images_of_each_digit(sources):
    few = sources["few"]
    for digit in range(5):
        assert len(strokes(few.X[few.y == digit])) == 10


def test_rotated_images_turn_back_to_the_digits(sources):
    back = np.rot90(as_images(sources["rotated"]), -1, axes=(1, 2))
    np.testing.assert_array_equal(back, as_images(sources["digits"]))


def test_turned_images_turn_back_by_their_labels(sources):
    turns = sources["turns"]
    pairs = zip(as_images(turns), turns.y, strict=True)
    back = np.stack([np.rot90(image, -turn) for image, turn in pairs])
    np.testing.assert_array_equal(back, as_images(sources["digits"]))
    assert set(turns.y.tolist()) == {0, 1, 2, 3}


def test_inverting_exchanges_ink_and_paper(sources):
    np.testing.assert_array_equal(sources["inverted"].X, 1 - sources["digits"].X)


def test_all_images_are_scrambled_alike(sources):
    plain, scrambled = sources["digits"].X, sources["scrambled"].X
    np.testing.assert_array_equal(np.sort(plain, axis=1), np.sort(scrambled, axis=1))
    # The columns are the same set, in another order.
    np.testing.assert_array_equal(np.sort(plain.sum(0)), np.sort(scrambled.sum(0)))


def test_centred_digits_leave_the_margin_empty(sources):
    images = as_images(sources["centred"])
    assert images[:, 2:10, 2:10].sum() == images.sum()
    assert strokes(sources["centred"].X) == strokes(sources["digits"].X)


def test_where_is_the_row_above_which_there_is_no_ink(sources):
    where = sources["where"]
    for image, row in zip(as_images(where), where.y, strict=True):
        assert image[:row].sum() == 0
        assert image[row + 8 :].sum() == 0
    assert set(where.y.tolist()) == set(range(SIDE - 8 + 1))


# -- the target ------------------------------------------------------------------------


def test_target_splits_each_digit_in_proportion():
    target = load_digits_target(n_train=200, random_state=0)
    assert target.X_train.shape == (200, SIDE**2)
    assert len(target.X_train) + len(target.X_test) == 896
    train = np.bincount(target.y_train, minlength=10)[5:] / 200
    everyone = np.bincount(np.r_[target.y_train, target.y_test])[5:] / 896
    np.testing.assert_allclose(train, everyone, atol=1 / 200)


def test_training_and_test_images_are_different_ones():
    target = load_digits_target(random_state=0)
    assert not strokes(target.X_train) & strokes(target.X_test)


def test_the_smallest_canvas_shows_the_images_as_they_are():
    target = load_digits_target(side=8, random_state=0)
    again = load_digits_target(side=8, random_state=0)
    assert target.X_train.shape == (400, 64)
    np.testing.assert_array_equal(target.X_test, again.X_test)


# -- what makes no sense ---------------------------------------------------------------


def test_unknown_source_is_told_with_near_names():
    with pytest.raises(ValueError, match=r"no source task 'digit'; nearest.*'digits'"):
        load_digits_sources(["digit"])


@pytest.mark.parametrize("load", [load_digits_sources, load_digits_target])
def test_one_digit_is_no_task(load):
    with pytest.raises(ValueError, match="at least two different digits"):
        load(digits=(3, 3))


@pytest.mark.parametrize("load", [load_digits_sources, load_digits_target])
def test_canvas_smaller_than_an_image_is_refused(load):
    with pytest.raises(ValueError, match=r"at least 8 x 8 pixels.*'side' = 7"):
        load(side=7)
