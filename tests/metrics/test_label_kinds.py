"""Labels are what they hold, whatever holds them; what is no pair of labels is never scored."""

import itertools
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import pytest

from fastnn import metrics
from fastnn.data import one_hot
from fastnn.errors import DataError, SettingError, ShapeError

TRUE, GUESS = ["cat", "dog", "emu", "cat", "dog"], ["cat", "dog", "cat", "cat", "emu"]
NUMBER = {"cat": 0, "dog": 1, "emu": 2}
MATRIX = [[2, 0, 0], [0, 1, 1], [1, 0, 0]]


class Column:
    """What a column of a table is to NumPy: something that gives an array of objects."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        out = np.empty(len(self.values), object)
        out[:] = self.values
        return out.astype(dtype or object)


def column_of(values):
    out = np.empty((len(values), 1), object)
    out[:, 0] = values
    return out


TEXT = {
    "list": list,
    "tuple": tuple,
    "text": np.array,
    "longer text": lambda values: np.array(values, "U20"),
    "objects": lambda values: np.array(values, object),
    "NumPy's text objects": lambda values: np.array([np.str_(v) for v in values], object),
    "strings of any length": lambda values: np.array(values, np.dtypes.StringDType()),
    "a column of objects": column_of,
    "a table's column": Column,
}
NUMBERS = {
    "list": list,
    "int64": lambda values: np.array(values, np.int64),
    "int8": lambda values: np.array(values, np.int8),
    "uint64": lambda values: np.array(values, np.uint64),
    "float32": lambda values: np.array(values, np.float32),
    "floats": lambda values: [float(v) for v in values],
    "objects": lambda values: np.array(values, object),
    "NumPy's numbers as objects": lambda values: np.array([np.int16(v) for v in values], object),
    "a table's column": Column,
}
SCORES = [metrics.accuracy, metrics.confusion_matrix, metrics.precision, metrics.recall, metrics.f1]


def numbered(values):
    return [NUMBER[value] for value in values]


def assert_equal_scores(truth, guess):
    for score in SCORES:
        expected = score(numbered(TRUE), numbered(GUESS))
        np.testing.assert_allclose(score(truth, guess), expected, err_msg=score.__name__)
    assert metrics.confusion_matrix(truth, guess).tolist() == MATRIX
    assert metrics.accuracy(truth, truth) == 1


@pytest.mark.parametrize(("a", "b"), [*itertools.product(TEXT, TEXT)])
def test_equal_text_in_any_two_containers(a, b):
    truth, guess = TEXT[a](TRUE), TEXT[b](GUESS)
    assert_equal_scores(truth, guess)
    assert metrics.classification_report(truth, guess).classes == ("cat", "dog", "emu")


@pytest.mark.parametrize(("a", "b"), [*itertools.product(NUMBERS, NUMBERS)])
def test_equal_numbers_in_any_two_containers(a, b):
    assert_equal_scores(NUMBERS[a](numbered(TRUE)), NUMBERS[b](numbered(GUESS)))


def test_truth_values_are_the_numbers_0_and_1():
    truth, guess = [True, False, True], [1, 0, 0]
    for given in (truth, np.array(truth), np.array(truth, object), Column(truth)):
        assert metrics.accuracy(given, guess) == 2 / 3
        np.testing.assert_array_equal(metrics.confusion_matrix(given, guess), [[1, 0], [1, 1]])
    assert metrics.classification_report(truth, truth).classes == ("False", "True")


def test_bytes_are_labels_of_their_own():
    truth, guess = [v.encode() for v in TRUE], np.array(GUESS, "S")
    assert_equal_scores(truth, guess)


def test_large_numbers_are_compared_exactly():
    big = 2**53
    truth = np.array([big, big + 1], np.int64)
    assert metrics.confusion_matrix(truth, truth.astype(np.uint64)).tolist() == [[1, 0], [0, 1]]
    far = np.array([2**63, 2**63 + 1], np.uint64)
    assert metrics.accuracy(far, truth) == 0
    assert metrics.confusion_matrix(far, far.astype(object)).tolist() == [[1, 0], [0, 1]]


class Animal(str, Enum):  # noqa: UP042  str() of a StrEnum is its text already
    CAT, DOG, EMU = "cat", "dog", "emu"


@pytest.mark.parametrize("container", [list, lambda v: np.array(v, object), Column])
def test_members_of_an_enumeration_of_text_are_their_text(container):
    assert_equal_scores(container([Animal(value) for value in TRUE]), GUESS)


@pytest.mark.parametrize("number", [Decimal, Fraction])
def test_whole_numbers_of_other_classes_are_numbers(number):
    """Data bases give whole numbers as Decimal."""
    assert_equal_scores([number(value) for value in numbered(TRUE)], numbered(GUESS))
    for part in (number("0.5"), Decimal("NaN"), Decimal("inf")):
        with pytest.raises(DataError, match=r"y_true.*(0\.5|1/2|NaN|Infinity).* no label"):
            metrics.accuracy([number(1), part], [1, 0])


@pytest.mark.parametrize("kind", TEXT)
def test_columns_of_probabilities_are_named_by_any_container(kind):
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.2, 0.2, 0.6]])
    classes = ["emu", "cat", "dog"]
    expected = -np.log([0.7, 0.5, 0.6]).mean()
    truth = TEXT[kind](classes)
    assert metrics.log_loss(truth, p, labels=classes) == pytest.approx(expected)
    named = np.array(classes, object)
    assert metrics.roc_auc(truth, p, labels=named) == metrics.roc_auc([0, 1, 2], p)


class TestTables:
    """pandas 3 and Arrow; scikit-learn issue 24355 is about the same pairs."""

    @pytest.mark.parametrize("dtype", ["str", "string", "category", object])
    def test_text(self, dtype):
        pandas = pytest.importorskip("pandas")
        truth = pandas.Series(TRUE, dtype=dtype, index=[7, 3, 5, 1, 0])
        assert_equal_scores(truth, np.array(GUESS))
        assert_equal_scores(np.array(TRUE), pandas.Series(GUESS, dtype=dtype))
        assert_equal_scores(pandas.DataFrame({"y": truth}), GUESS)

    @pytest.mark.parametrize("dtype", ["int8", "Int64", "UInt8", "Float64", "category", object])
    def test_numbers(self, dtype):
        pandas = pytest.importorskip("pandas")
        assert_equal_scores(pandas.Series(numbered(TRUE), dtype=dtype), numbered(GUESS))
        rows = one_hot(pandas.Series(numbered(TRUE), dtype=dtype))
        np.testing.assert_array_equal(rows, np.eye(3)[numbered(TRUE)])

    @pytest.mark.parametrize("dtype", ["Int64", "string", "category", "boolean"])
    def test_missing_labels_are_refused(self, dtype):
        pandas = pytest.importorskip("pandas")
        values = {"Int64": [0, 1], "boolean": [True, False]}.get(dtype, ["0", "1"])
        y = pandas.Series([*values, None], dtype=dtype)
        with pytest.raises(DataError, match=r"y_true.* (missing label|is NaN)"):
            metrics.accuracy(y, y)

    def test_arrow(self):
        arrow = pytest.importorskip("pyarrow")
        assert_equal_scores(arrow.array(TRUE), GUESS)
        assert_equal_scores(arrow.chunked_array([TRUE]), arrow.array(GUESS).dictionary_encode())
        assert_equal_scores(arrow.array(numbered(TRUE)), numbered(GUESS))


#: Pairs that are no labels of the same kind, each with words of its error.
NO_PAIRS = {
    "text and numbers": ([0, 1], ["0", "1"], "numbers but y_pred text"),
    "objects of text and numbers": (np.array(["0", "1"], object), [0, 1], "text but y_pred numb"),
    "text and truth values": ([True, False], ["True", "False"], "numbers but y_pred text"),
    "bytes and text": (np.array([b"a", b"b"]), ["a", "b"], r"bytes but y_pred text.*np\.char\."),
    "bytes and numbers": ([b"0", b"1"], [0, 1], "bytes but y_pred numbers"),
    "dates and numbers": (np.array([0, 1], "M8[D]"), [0, 1], "dates but y_pred numbers"),
    "mixed lists": (["a", 1], ["a", "1"], r"y_true mixes text \(entry 0\) and numbers \(entry 1\)"),
    "mixed objects": (["a", "b"], np.array(["a", 2], object), "y_pred mixes text"),
    "probabilities": ([0, 1], [0.2, 0.9], r"y_pred\[0\] is 0.2.*no label.*p > 0.5"),
    "probabilities as objects": (np.array([0.5, 1], object), [0, 1], r"y_true\[0\] is 0.5"),
    "infinity": ([0, np.inf], [0, 1], r"y_true\[1\] is inf"),
    "NaN": ([0, 1], [np.nan, 1], r"y_pred\[0\] is NaN"),
    "None": (["a", None], ["a", "b"], r"y_true has a missing label \(None\), the first as entry 1"),
    "NaN among text": (["a", np.nan], ["a", "b"], r"missing label \(nan\)"),
    "no date": (np.array(["NaT", "2026-01-01"], "M8[D]"), [0, 1], "missing labels"),
    "masked": (np.ma.masked_array([0, 1], [0, 1]), [0, 1], "masked entries"),
    "complex": ([1j, 0], [0, 1], "complex128, which holds no labels"),
    "spans": (np.array([0, 1], "m8[D]"), [0, 1], "holds no labels"),
}


@pytest.mark.parametrize("name", NO_PAIRS)
@pytest.mark.parametrize("score", SCORES)
def test_what_is_no_pair_of_labels_is_refused(name, score):
    truth, guess, words = NO_PAIRS[name]
    with pytest.raises(DataError, match=words) as caught:
        score(truth, guess)
    assert "\n" not in str(caught.value)


def test_several_labels_at_a_time_are_no_probabilities():
    Y = np.eye(3)
    assert metrics.accuracy(Y, Y.astype(object)) == 1
    assert metrics.accuracy(Y.astype(bool), Y[[0, 1, 1]]) == 2 / 3
    with pytest.raises(DataError, match=r"y_pred\[0, 0\] is 0.9.*no label"):
        metrics.accuracy(Y, 0.9 * Y)
    with pytest.raises(ShapeError, match="rows of different lengths"):
        metrics.accuracy([[0, 1], [0]], [0, 1])


def test_labels_that_are_not_those_of_the_data():
    with pytest.raises(DataError, match="labels holds text but y_true numbers"):
        metrics.confusion_matrix([0, 1], [0, 1], labels=["a", "b"])
    with pytest.raises(DataError, match="labels mixes text"):
        metrics.confusion_matrix(["a", "1"], ["a", "1"], labels=["a", 1])
    with pytest.raises(SettingError, match="each class once"):
        metrics.confusion_matrix([0, 1], [0, 1], labels=[0, True, False])


@pytest.mark.parametrize("classes", [np.array(["a", "b", "c"]), Column(["a", "b", "c"]), "abc"])
def test_one_hot_counts_names_in_any_container(classes):
    if isinstance(classes, str):
        with pytest.raises(SettingError, match="classes must be a whole number"):
            one_hot([0, 1], classes)
    else:
        assert one_hot([0, 1], classes).shape == (2, 3)
        assert one_hot(np.array([0, 1], object), classes).shape == (2, 3)


@pytest.mark.parametrize("names", [[("a", "x"), "b"], [["a", "x"], ["b", "y"]], [["a"], []]])
def test_one_hot_refuses_names_that_are_no_list_of_names(names):
    with pytest.raises(SettingError, match=r"classes must be a number or names \(K,\)"):
        one_hot([0, 1], names)
