"""What gives rows one by one or in batches is refused before any is taken, wherever X may stand."""

import collections
import itertools
import types

import numpy as np
import pytest

import fastnn
from fastnn import row_sources
from fastnn._validation import arguments
from fastnn.errors import DataError

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 1, 0])


class Batches:
    """A sequence of batches as Keras has them: a length, items, and no end."""

    taken = 0

    def __len__(self):
        return 3

    def __getitem__(self, k):
        self.taken += 1
        return X[2 * k : 2 * k + 2], Y[2 * k : 2 * k + 2]


class Endless(Batches):
    """Rows without an end, for which NumPy would take all memory."""

    def __getitem__(self, k):
        self.taken += 1
        return X[k % 6]


class Rows(Batches):
    """Rows that end with an IndexError, which NumPy reads as it reads a list."""

    def __len__(self):
        return 6

    def __getitem__(self, k):
        return list(X[k])


class Lying(Rows):
    """Rows of which there are fewer than their number."""

    def __getitem__(self, k):
        self.taken += 1
        if k == 6:
            raise RuntimeError("no such row")
        return X[k]


def loader(module, name, **methods):
    """An object of a class derived from one that a library of that name would have."""
    base = type(name, (), {"__module__": module, **methods})
    return type("Mine", (base,), {})()


def untouched(*arguments):
    raise AssertionError("an entry was asked for")


def refused():
    """What is refused, by name, with what the sentence says of it."""
    taken = {"__iter__": untouched, "__getitem__": untouched, "__len__": lambda self: 3}
    keras = {"__getitem__": untouched, "__len__": lambda self: 3}
    return {
        "generator": ((row for row in X), "X is a generator; fit goes over"),
        "iterator": (iter(X.tolist()), "X is a list_iterator; fit goes over"),
        "endless": (itertools.count(), "X is a count; fit goes over"),
        "zip": (zip(X, Y, strict=True), "X is a zip; fit goes over"),
        "set": ({1.0, 2.0}, "X is a set; fit goes over"),
        "values": ({0: X}.values(), "X is a dict_values; fit goes over"),
        "batches": (Batches(), "X is a Batches, a sequence of pairs or batches; fit goes over"),
        "no end": (Endless(), "X is an Endless, a sequence that does not end at its length"),
        "error at the end": (Lying(), "X is a Lying, whose end at its length of 6 cannot be told"),
        "DataLoader": (
            loader("torch.utils.data.dataloader", "DataLoader", **taken), "X is a torch DataLoader"
        ),
        "IterableDataset": (
            loader("torch.utils.data.dataset", "IterableDataset", __iter__=untouched),
            "X is a torch IterableDataset; fit goes over",
        ),
        "map Dataset": (
            loader("torch.utils.data.dataset", "Dataset", __getitem__=untouched),
            "X is a torch Dataset; fit goes over the data several times and makes its batches",
        ),
        "PyDataset": (
            loader("keras.src.trainers.data_adapters.py_dataset_adapter", "PyDataset", **keras),
            "X is a keras PyDataset; fit goes over",
        ),
        "tf.data": (
            loader("tensorflow.python.data.ops.dataset_ops", "DatasetV2", __iter__=untouched),
            "X is a tensorflow Dataset; fit goes over",
        ),
    }  # fmt: skip


REFUSED = refused()


@pytest.mark.parametrize(("value", "words"), REFUSED.values(), ids=REFUSED)
def test_one_sentence_and_no_entry_taken(value, words):
    what, _, why = words.partition("; ")
    for check in (row_sources.find, arguments.numeric):
        with pytest.raises(DataError) as caught:
            check(value, "X")
        told = str(caught.value)
        assert told.startswith(f"{what}; {why}" if why and check is row_sources.find else what)
        assert told.endswith("give an array or an HDF5 data set") == (check is arguments.numeric)
        assert "give an array or an HDF5 data set" in told
    if isinstance(value, types.GeneratorType):
        assert sum(1 for _ in value) == len(X)
    if isinstance(value, Batches):
        assert value.taken <= 4  # two calls of two items


@pytest.mark.medium
def test_wherever_rows_are_taken():
    net = fastnn.Network.mlp([2, 2, 1], output="sigmoid")
    fit = "fit goes over the data several times"
    calls = [
        (lambda rows: net.fit(rows, Y, epochs=1), fit),
        (lambda rows: net.fit(X, Y, epochs=1, validation_data=(rows, Y)), fit),
        (lambda rows: net.fit(X, rows, epochs=1), "what gives its entries one by one"),
        (lambda rows: net.fit(X, Y, epochs=1, sample_weight=rows), "what gives its entries"),
        (net.predict, "predict takes all rows: give .*, or call predict a piece"),
        (lambda rows: net.predict(rows, threshold=0.2), "predict takes all rows: give"),
        (net.predict_proba, "predict_proba takes all rows: give .*, or call predict_proba a piece"),
        (lambda rows: net.evaluate(rows, Y), "evaluate takes all rows: give .* evaluate a piece"),
        (fastnn.Ensemble([net]).predict_proba, "predict_proba takes all rows: give"),
    ]
    before = {name: W.copy() for name, W in net.parameters.items()}
    for call, words in calls:
        with pytest.raises(DataError, match=f"is a generator; {words}"):
            call(row for row in X)
        with pytest.raises(DataError, match="does not end at its length of 3"):
            call(Endless())
    assert all((net.parameters[name] == before[name]).all() for name in before)


@pytest.mark.medium
def test_wherever_an_estimator_takes_rows():
    pytest.importorskip("sklearn")
    model = fastnn.MLPClassifier((2,), max_iter=1).partial_fit(X, Y, classes=[0, 1])
    fit, predict = "fit goes over the data several times", "predict takes all rows"
    calls = [
        (lambda rows: model.fit(rows, Y), fit),
        (lambda rows: model.fit(X, rows), fit),
        (lambda rows: model.partial_fit(rows, Y), fit),
        (model.predict, predict),
        (model.predict_proba, predict),
        (lambda rows: fastnn.LogisticRegression().fit(rows, Y), fit),
        (fastnn.LogisticRegression().fit(X, Y).predict, predict),
    ]
    for call, words in calls:
        with pytest.raises(DataError, match=f"is a generator; {words}"):
            call(row for row in X)
        with pytest.raises(DataError, match="does not end at its length of 3"):
            call(Endless())


@pytest.mark.parametrize(
    "value",
    [X.tolist(), tuple(X.tolist()), collections.deque(X.tolist()), Rows(), memoryview(X),
     collections.UserList(X.tolist()), np.ma.masked_array(X)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_sequences_of_rows_are_read_as_before(value):
    assert row_sources.find(value, "X") is None
    np.testing.assert_array_equal(arguments.numeric(value, "X"), X)
