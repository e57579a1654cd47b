"""What holds numbers is taken as X, y and weights; what cannot be converted gets one sentence."""

import functools
import io
import warnings
from decimal import Decimal

import builders
import h5py
import numpy as np
import pytest

import fastnn
from fastnn import data
from fastnn.errors import DataError, FastnnError, ShapeError

RNG = np.random.default_rng(4)
X = RNG.integers(-9, 9, (12, 3)).astype(float)  # which bfloat16 and int8 hold
Y = (X[:, 0] > 0).astype(int)


def optional(module):
    """Import a library, or skip saying that it is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            module, reason=f"{module} is not installed", exc_type=ImportError
        )


network = functools.partial(builders.network, inputs=3, dtype="float64")


def fitted(X, Y, w=None):
    net = network()
    net.fit(X, Y, epochs=2, batch_size=5, sample_weight=w, progress=False)
    return net


def taken(rows, labels, weights):
    """These make the network that their plain arrays make."""
    right = fitted(X, Y, Y + 1.0)
    for net in (fitted(rows, Y, Y + 1.0), fitted(X, labels, Y + 1.0), fitted(X, Y, weights)):
        np.testing.assert_array_equal(net.program.theta, right.program.theta)
    np.testing.assert_array_equal(right.predict_proba(rows), right.predict_proba(X))
    assert right.evaluate(rows, labels) == right.evaluate(X, Y)


def refused(value, words, error=DataError):
    """As X, y and weights of a fit, and where data are cut and scaled; the network stays."""
    net = network()
    before = net.program.theta.copy()
    calls = {
        "X": [
            lambda: net.fit(value, Y, progress=False),
            lambda: net.predict(value),
            lambda: data.Standardizer().fit(value),
            lambda: net.fit(X, Y, validation_data=(value, Y), progress=False),
        ],
        "y": [lambda: net.fit(X, value, progress=False), lambda: net.evaluate(X, value)],
        "sample_weight": [lambda: net.fit(X, Y, sample_weight=value, progress=False)],
    }
    for name, each in calls.items():
        for call in each:
            with pytest.raises(error, match=words.format(name=name)) as caught:
                call()
            assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(net.program.theta, before)


class TestMlDtypes:
    @pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2fnuz", "int8"])
    @pytest.mark.parametrize("backend", ["jitted", "vectorized"])
    def test_they_are_widened_as_float16_is(self, name, backend):
        kind = np.dtype(getattr(optional("ml_dtypes"), name, name))
        with fastnn.backend(backend):
            rows = np.clip(X, -3, 3)
            found = network().predict_proba(rows.astype(kind))
            np.testing.assert_array_equal(found, network().predict_proba(rows))
        taken(X, Y.astype(kind), (Y + 1).astype(kind))

    def test_integers_of_four_bits(self):
        kind = optional("ml_dtypes").int4
        rows = np.clip(X, -8, 7)
        found = network().predict_proba(rows.astype(kind))
        np.testing.assert_array_equal(found, network().predict_proba(rows))


class TestHdf5:
    @pytest.fixture
    def file(self):
        with h5py.File(io.BytesIO(), "w") as file:
            file["X"], file["y"], file["w"] = X.astype("float16"), Y, Y + 1.0
            file["nothing"], file["text"] = h5py.Empty("f"), ["a", "b"]
            yield file

    def test_open_data_sets_are_taken(self, file):
        taken(file["X"], file["y"], file["w"])

    def test_empty_values(self, file):
        refused(h5py.Empty("f"), "{name} is an empty HDF5 value")
        refused(file["nothing"], "{name} is an empty HDF5 value")

    def test_groups(self, file):
        refused(file, r"{name} is an HDF5 group; .* 'X'")

    def test_text(self, file):
        refused(file["text"], r"{name} .* text, b'a' in row 0")

    def test_closed_files(self, file):
        kept = [file["X"], file["y"]]
        file.close()
        for each in (*kept, file):
            refused(each, r"{name} belongs to an HDF5 file that is closed; .* {name}\[...\]")


class TestObjects:
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (X.astype(object), r"{name}.* dtype object; .* {name}.astype\(float\)"),
            (np.array([[1.0, None]], object), "{name}.* row 0 has no value; drop those rows"),
            ([[1.0, 2.0], [3.0, None]], "{name}.* row 1 has no value"),
            (np.array([[1.0, "é"]], object), "{name}.* text, 'é' in row 0; turn text"),
            ([[Decimal(1)], [2]], "{name}.* Decimal in row 0"),
            ({"a": 1}, "{name}.* one dict; give an array"),
            ((row for row in X), "{name} is a generator"),
            (np.zeros(3, [("a", float)]), "{name}.* fields as columns"),
            (np.zeros(3, "m8[s]"), "{name}.* timedelta64"),
            (np.ma.masked_equal(X, X[0, 0]), "{name} has masked entries"),
            ([[1.0], [2.0, 3.0]], "{name} has rows of different lengths"),
        ],
    )
    def test_refused(self, value, words):
        refused(value, words)

    def test_what_an_object_raises_is_said_in_one_sentence(self):
        class Broken:
            def __array__(self, dtype=None, copy=None):
                raise OSError("the disk\nis gone")

        refused(Broken(), "{name} of type Broken cannot be made an array: the disk is gone")

    def test_memory_errors_stay_what_they_are(self):
        class Large:
            def __array__(self, dtype=None, copy=None):
                raise MemoryError

        with pytest.raises(MemoryError):
            network().predict(Large())

    def test_masked_arrays_without_a_mask(self):
        taken(np.ma.array(X), np.ma.array(Y), np.ma.array(Y + 1.0))


@pytest.mark.parametrize("labels", [["no", "yes"] * 6, np.array(["no", "yes"] * 6, object)])
def test_text_as_y_is_advised_on_as_labels(labels):
    with pytest.raises(DataError, match=r"return_inverse=True\)\[1\], or train fastnn.MLPClass"):
        network().fit(X, labels, progress=False)
    with pytest.raises(DataError, match="each word a column"):
        network().fit(np.array([["no"]] * 12, object), Y, progress=False)


class TestTorch:
    def test_tensors_are_taken_bfloat16_too(self):
        torch = optional("torch")
        for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            taken(*(torch.tensor(v).to(kind) for v in (X, Y, Y + 1.0)))
        taken(
            list(torch.tensor(X)), torch.nn.Parameter(torch.tensor(Y), False), torch.tensor(Y) + 1
        )

    def test_tensors_that_cannot_be_converted(self):
        torch = optional("torch")
        plain = torch.ones(12, 3)
        refused(torch.ones(12, 3, requires_grad=True), r"requires grad.* {name}.detach\(\)")
        refused(torch.nn.Linear(3, 12).weight, r"requires grad.* {name}.detach\(\)")
        refused([torch.ones(3, requires_grad=True)], "{name} of type list cannot be made an array")
        refused(torch.ones(12, 3, device="meta"), "{name} is a meta tensor")
        refused(plain.to_sparse(), r"{name} is sparse; give {name}.to_dense\(\)")
        refused(plain.to(torch.complex64).conj(), "{name}")
        refused(torch.utils.data.DataLoader(plain), "{name}.* one DataLoader")

    def test_data_are_cut_from_tensors(self):
        torch = optional("torch")
        rows = torch.tensor(X).to(torch.bfloat16)
        np.testing.assert_array_equal(next(data.minibatches(rows, Y, 12, shuffle=False))[0], X)
        assert data.split(rows, Y, test=0.5)[0].dtype == np.float32
        with pytest.raises(DataError, match="requires grad"):
            data.minibatches(rows.requires_grad_(), Y, 4)


FRAMES = {
    "Int64": ["Int64"] * 3,
    "Float32": ["Float32"] * 3,
    "mixed": ["Int8", "float64", "Float64"],
    "plain and bool": ["float64", "bool", "int64"],
    "nullable bool": ["boolean", "Int64", "float32"],
    "Arrow": ["int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]"],
    "sparse": ["Sparse[float64]", "float64", "Sparse[float64]"],
    "category": ["category", "float64", "category"],
}


class TestPandas:
    @pytest.mark.parametrize("kinds", FRAMES)
    def test_frames_of_numbers_are_taken(self, kinds):
        pandas = optional("pandas")
        if kinds == "Arrow":
            optional("pyarrow")
        rows = X.copy()
        for i, kind in enumerate(FRAMES[kinds]):
            rows[:, i] = rows[:, i] > 0 if "bool" in kind else rows[:, i]
        frame = pandas.DataFrame(rows, columns=["a", "b", "c"]).astype(
            dict(zip("abc", FRAMES[kinds], strict=True))
        )
        net = network()
        np.testing.assert_array_equal(net.predict_proba(frame), net.predict_proba(rows))
        right, found = fitted(rows, Y), fitted(frame, Y)
        np.testing.assert_array_equal(found.program.theta, right.program.theta)

    @pytest.mark.parametrize("kind", ["Int64", "Float64", "int8[pyarrow]", "category"])
    def test_series_are_taken(self, kind):
        pandas = optional("pandas")
        if "pyarrow" in kind:
            optional("pyarrow")
        taken(pandas.DataFrame(X), pandas.Series(Y).astype(kind), pandas.Series(Y + 1).astype(kind))

    def test_missing_values_are_named(self):
        pandas = optional("pandas")
        frame = pandas.DataFrame({"age": [1, 2, 3], "size": [1.5, 2, 3], "n": [0, 1, 0]})
        holes = frame.astype({"age": "Int64"})
        holes.loc[2, "age"] = pandas.NA
        refused(holes, "{name} has no value in row 2, column 'age'; drop those rows")
        refused(holes["age"], "{name} has no value in row 2; drop those rows")
        frame.loc[1, "size"] = np.nan
        with pytest.raises(DataError, match="X holds nan in row 1"):
            network().predict(frame)
        text = frame.assign(size=["s", "m", "l"])
        refused(text, "{name}.* text, 's' in row 0, column 'size'; turn text")

    def test_text_series_as_y(self):
        pandas = optional("pandas")
        for kind in ("str", "object", "category"):
            with pytest.raises(DataError, match=r"'no' in row 0.*return_inverse.*MLPClassifier"):
                network().fit(X, pandas.Series(["no", "yes"] * 6, dtype=kind), progress=False)


class TestArrow:
    def test_tables_and_arrays_are_taken(self):
        arrow = optional("pyarrow")
        columns = {name: X[:, i].astype(("i4", "f4", "f8")[i]) for i, name in enumerate("abc")}
        taken(arrow.table(columns), arrow.array(Y), arrow.chunked_array([Y[:5] + 1, Y[5:] + 1]))
        np.testing.assert_array_equal(
            network().predict(arrow.record_batch(columns)), network().predict(X)
        )

    def test_missing_values_and_text_are_named(self):
        arrow = optional("pyarrow")
        with pytest.raises(DataError, match="X has no value in row 1, column 'a'"):
            network().predict(arrow.table({"a": [1, None], "b": [1, 2], "c": [1, 2]}))
        refused(arrow.array([True, None]), "{name}.* row 1 has no value")
        refused(arrow.table({"a": [1, 2], "b": ["x", "y"]}), "'x' in row 0, column 'b'")
        decimals = arrow.array([1, 2]).cast(arrow.decimal128(19))
        refused(decimals, "{name}.* Decimal in row 0")


def test_shapes_are_told_after_the_conversion():
    optional("torch")
    import torch

    with pytest.raises(ShapeError, match="reshape a single example"):
        network().predict(torch.ones(3))
    assert issubclass(ShapeError, FastnnError)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor", "LogisticRegression"])
class TestEstimators:
    """They take and refuse the same, ahead of scikit-learn's own checks."""

    def fresh(self, name):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
        return getattr(fastnn, name)(max_iter=2, random_state=0)

    def refused(self, name, value, words):
        model = self.fresh(name).fit(X, Y)
        before = dict(vars(model))
        calls = [model.predict, lambda value: model.fit(value, Y)]
        if name != "LogisticRegression":
            calls.append(lambda value: model.partial_fit(value, Y))
        for call in calls:
            with pytest.raises(DataError, match=f"X .*{words}"):
                call(value)
            assert vars(model) == before
        with pytest.raises(DataError, match=f"y .*{words}"):
            model.fit(X, value)

    def test_hdf5(self, name):
        with h5py.File(io.BytesIO(), "w") as file:
            held = file.create_dataset("x", data=X)
            labels = file.create_dataset("y", data=Y)
            wanted = self.fresh(name).fit(X, Y).predict(X)
            np.testing.assert_array_equal(self.fresh(name).fit(held, labels).predict(held), wanted)
            self.refused(name, h5py.Empty("f"), "empty HDF5 value")
        self.refused(name, held, "HDF5 file that is closed")

    def test_tensors(self, name):
        torch = optional("torch")
        wanted = self.fresh(name).fit(X.astype("float32"), Y)
        for rows in (torch.tensor(X).bfloat16(), torch.tensor(X).float()):
            found = self.fresh(name).fit(rows, torch.tensor(Y))
            assert found.network_.dtype == wanted.network_.dtype
            np.testing.assert_array_equal(found.predict(rows), wanted.predict(X.astype("float32")))
        self.refused(name, torch.tensor(X, requires_grad=True), "requires grad")
        self.refused(name, torch.empty(12, 3, device="meta"), "meta tensor")
        self.refused(name, torch.tensor(X).to_sparse(), "to_dense")
