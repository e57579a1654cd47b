"""Augmentation: what moves, what stays, and that a draw belongs to (seed, epoch, row)."""

import inspect

import numpy as np
import pytest

from fastnn import data, errors
from fastnn.data import augmentation

STACK = np.arange(1, 1 + 40 * 5 * 6, dtype=np.int32).reshape(40, 5, 6)
COLOUR = np.random.default_rng(0).integers(1, 256, (40, 5, 6, 3), dtype=np.uint8)
WAYS = [data.flip, data.shift]


def moved_by_hand(image, down, right, fill):
    out = np.full_like(image, fill)
    for i, j in np.ndindex(image.shape[:2]):
        if 0 <= i - down < image.shape[0] and 0 <= j - right < image.shape[1]:
            out[i, j] = image[i - down, j - right]
    return out


@pytest.mark.parametrize("images", [STACK, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("way", WAYS)
def test_dtype_and_shape_stay_and_the_original_is_untouched(way, images):
    kept = images.copy()
    got = way(images)
    assert (got.dtype, got.shape) == (images.dtype, images.shape)
    assert not np.array_equal(got, images)
    assert not np.shares_memory(got, images)
    np.testing.assert_array_equal(images, kept)


@pytest.mark.parametrize("images", [STACK, COLOUR], ids=["grey", "colour"])
def test_flip_mirrors_left_to_right_or_not_at_all(images):
    got, mirrored = data.flip(images), 0
    for before, after in zip(images, got, strict=True):
        if not np.array_equal(before, after):
            np.testing.assert_array_equal(after, before[:, ::-1])
            mirrored += 1
    assert 10 < mirrored < 30
    np.testing.assert_array_equal(data.flip(images, rate=0), images)
    np.testing.assert_array_equal(data.flip(images, rate=1), images[:, :, ::-1])


@pytest.mark.parametrize("images", [STACK, COLOUR], ids=["grey", "colour"])
def test_shift_is_one_of_the_moves_by_hand_and_all_occur(images):
    got, moves = data.shift(images, pixels=1, fill=7), set()
    for before, after in zip(images, got, strict=True):
        fits = [
            (down, right)
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
            if np.array_equal(moved_by_hand(before, down, right, 7), after)
        ]
        assert len(fits) == 1
        moves.update(fits)
    assert len(moves) == 9
    np.testing.assert_array_equal(data.shift(images, pixels=0), images)


@pytest.mark.parametrize("way", WAYS)
def test_a_draw_belongs_to_seed_epoch_and_row(way):
    whole = way(STACK, seed=3, epoch=2)
    rows = np.array([31, 4, 4, 17])
    np.testing.assert_array_equal(way(STACK[rows], seed=3, epoch=2, rows=rows), whole[rows])
    np.testing.assert_array_equal(way(STACK[:9], seed=3, epoch=2), whole[:9])
    assert not np.array_equal(way(STACK, seed=4, epoch=2), whole)
    assert not np.array_equal(way(STACK, seed=3, epoch=3), whole)


def test_draws_stay_what_they_are():
    """Written down once: the same seed, epoch and row are to give the same picture for ever."""
    dots = np.zeros((4, 9, 9))
    dots[:, 4, 4] = 1
    places = np.argwhere(data.shift(dots, seed=1, epoch=2))[:, 1:]
    assert places.tolist() == [[6, 3], [4, 6], [3, 3], [3, 4]]
    pairs = np.array([[[1, 0]]] * 4)
    assert data.flip(pairs, seed=1, epoch=2)[:, 0, 1].tolist() == [0, 1, 0, 0]


def test_augment_puts_copies_behind_the_originals():
    y = np.arange(40)
    images, labels = data.augment(STACK, y, copies=2, seed=5)
    assert images.shape == (120, 5, 6)
    assert images.dtype == STACK.dtype
    np.testing.assert_array_equal(labels, np.tile(y, 3))
    np.testing.assert_array_equal(images[:40], STACK)
    for epoch in (1, 2):
        want = data.shift(data.flip(STACK, seed=5, epoch=epoch), seed=5, epoch=epoch)
        np.testing.assert_array_equal(images[40 * epoch : 40 * (epoch + 1)], want)
    np.testing.assert_array_equal(data.augment(STACK, copies=2, seed=5), images)
    assert data.augment(STACK, np.ones((40, 2)))[1].shape == (80, 2)


def test_no_images_give_no_images():
    for way in (*WAYS, data.augment):
        assert way(np.empty((0, 4, 4, 3), np.uint8)).shape == (0, 4, 4, 3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: data.flip(np.ones((4, 9))), errors.ShapeError, "before flatten_images"),
        (lambda: data.shift(np.ones(4)), errors.ShapeError, r"image\[None\]"),
        (lambda: data.flip(np.full((2, 2, 2), "a")), errors.DataError, "real numbers"),
        (lambda: data.flip(STACK, rate=1.5), errors.SettingError, "rate must be a number from 0"),
        (lambda: data.flip(STACK, rate="x"), errors.SettingError, "rate"),
        (lambda: data.shift(STACK, pixels=5), errors.SettingError, "pixels must be below 5"),
        (lambda: data.shift(STACK, pixels=-1), errors.SettingError, "pixels"),
        (lambda: data.shift(COLOUR, fill=256), errors.SettingError, "uint8"),
        (lambda: data.shift(COLOUR, fill=0.5), errors.SettingError, "uint8"),
        (lambda: data.flip(STACK, seed=-1), errors.SettingError, "seed"),
        (lambda: data.flip(STACK, epoch=0.5), errors.SettingError, "epoch"),
        (lambda: data.flip(STACK, rows=[1, 2]), errors.ShapeError, "rows"),
        (lambda: data.flip(STACK[:1], rows=[0.0]), errors.ShapeError, "rows"),
        (lambda: data.flip(STACK[:1], rows=[-1]), errors.SettingError, "rows"),
        (lambda: data.augment(STACK, np.ones(3)), errors.ShapeError, "40 rows but y has 3"),
        (lambda: data.augment(STACK, copies=0), errors.SettingError, "copies"),
        (lambda: data.augment(STACK, shift=5), errors.SettingError, "shift must be below 5"),
        (lambda: data.augment(STACK, flip=-0.1), errors.SettingError, "flip must be"),
    ],
)
def test_bad_input_gets_one_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", augmentation.__all__)
def test_public_names_are_documented_and_in_data(name):
    assert getattr(data, name) is getattr(augmentation, name)
    assert inspect.getdoc(getattr(data, name))
