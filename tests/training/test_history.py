"""History: every curve has one entry for every epoch, NaN where nothing was measured."""

import pickle
import re
import sys
from xml.etree import ElementTree

import builders
import numpy as np
import pytest

import fastnn
from fastnn import LBFGS, Adam, Dense, Network, errors, plot, schedules
from fastnn.errors import ShapeError
from fastnn.history import History
from fastnn.network.description import state_of
from fastnn.saving import model_file

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.integers(0, 2, 40)
NAN = float("nan")


def fitted(*fits, optimizer=None):
    """A network after fits of so many epochs, each with validation data or without."""
    network = builders.network(3, inputs=3)
    for epochs, validated in fits:
        data = {"validation_data": (X, Y)} if validated else {}
        network.fit(X, Y, epochs=epochs, progress=False, optimizer=optimizer, **data)
    return network


@pytest.mark.parametrize("backend", ["vectorized", "jitted"])
@pytest.mark.parametrize("optimizer", [Adam(), LBFGS()])
def test_curves_of_fits_with_and_without_validation(backend, optimizer):
    if isinstance(optimizer, LBFGS):
        pytest.importorskip("scipy")
    with fastnn.backend(backend):
        history = fitted((3, False), (4, True), (2, False), optimizer=optimizer).history
    for name in ("validation_cost", "validation_accuracy"):
        measured = np.flatnonzero(~np.isnan(history[name]))
        assert measured.tolist() == [3, 4, 5, 6]
    assert {len(curve) for curve in history.values()} == {9}
    assert not np.isnan(history["cost"]).any()


def test_it_tells_of_the_last_epoch_what_was_measured_in_it():
    assert "validation_cost" in repr(fitted((1, False), (1, True)).history)
    assert "validation_cost" not in repr(fitted((1, True), (1, False)).history)
    assert "nan" not in repr(fitted((1, True), (1, False)).history)


def test_metrics_of_some_fits_only():
    network = fitted((2, True))
    network.fit(X, Y, epochs=3, metrics=["f1"], progress=False)
    network.fit(X, Y, epochs=1, progress=False)
    assert np.isnan(network.history["f1"]).tolist() == [True, True, False, False, False, True]
    assert np.isnan(network.history["validation_cost"]).tolist() == [False] * 2 + [True] * 4


def test_what_a_callback_measures_now_and_then():
    def every_second(network, history):
        if history.epochs % 2 == 0:
            for record in (history, network.history):
                record.extend({"mine": [history.epochs]})

    network = Network([Dense(1)])
    network.fit(X, Y, epochs=5, callbacks=[every_second], progress=False)
    np.testing.assert_array_equal(network.history["mine"], [NAN, 2, NAN, 4, NAN])


def test_a_second_number_of_one_epoch_replaces_the_first():
    history = History()
    history.extend({"cost": [3.0, 2.0]})
    history.extend({"mine": [1.0]})
    before = history["mine"]
    history.extend({"mine": [5.0]})
    np.testing.assert_array_equal(history["mine"], [NAN, 5.0])
    np.testing.assert_array_equal(before, [NAN, 1.0])  # which somebody may have kept


def test_a_curve_longer_than_the_history_is_refused():
    """A checkpoint of it could not be loaded again."""
    history = History()
    for epochs, values in ((0, [1.0]), (2, [1.0, 2.0, 3.0])):
        history.extend({"cost": [0.5] * epochs})
        with pytest.raises(ShapeError, match=f"mine has {len(values)} entries but the history"):
            history.extend({"other": values[:epochs], "mine": values})
        assert set(history) == {"cost"}


def test_a_plateau_counts_only_epochs_that_were_measured():
    plateau = schedules.Plateau("mine", 0.5, 2)
    assert plateau.follow([3, NAN, 4, NAN, NAN]) == 1
    assert plateau.follow([3, NAN, 4, NAN, 5]) == 0.5


class TestOldFiles:
    """Until now a curve that began late or ended early was shorter than the history."""

    def test_pickles(self):
        history = History()
        history._curves = {"cost": (np.arange(5.0), 3), "f1": (np.array([0.5, 9.0]), 1)}
        state = {"_curves": history._curves, "interrupted": False, "converged": None}
        old = History.__new__(History)
        old.__setstate__(state)
        np.testing.assert_array_equal(old["f1"], [NAN, NAN, 0.5])
        assert pickle.loads(pickle.dumps(old)) == old

    @pytest.mark.parametrize("ending", ["safetensors", "h5"])
    def test_checkpoints(self, tmp_path, monkeypatch, ending):
        path = tmp_path / f"a.{ending}"
        network = fitted((2, True))
        curves = {"cost": (np.array([3.0, 2.0]), 2), "validation_cost": (np.array([1.0]), 1)}
        monkeypatch.setattr(network.history, "_curves", curves)
        monkeypatch.setattr(History, "__getitem__", lambda self, name: self._curves[name][0])
        model_file.checkpoint(state_of(network), path)
        monkeypatch.undo()
        found = fastnn.load(path)
        np.testing.assert_array_equal(found.history["validation_cost"], [NAN, 1.0])
        found.fit(X, Y, epochs=1, progress=False)
        assert np.isnan(found.history["validation_cost"]).tolist() == [True, False, True]

    def test_checkpoints_of_now_keep_the_gaps(self, tmp_path):
        network = fitted((1, False), (2, True), (1, False))
        model_file.checkpoint(state_of(network), tmp_path / "a.h5")
        assert fastnn.load(tmp_path / "a.h5").history == network.history


class TestPicture:
    @pytest.fixture(autouse=True)
    def _needs_matplotlib(self):
        pytest.importorskip("matplotlib").use("Agg")

    def test_validation_stands_at_its_epochs(self):
        history = fitted((3, False), (4, True), (2, False)).history
        ax = plot.history(history)
        line = next(line for line in ax.lines if line.get_label() == "validation cost")
        assert line.get_xdata().tolist() == [4, 5, 6, 7]
        expected = history["validation_cost"][3:7]
        np.testing.assert_array_equal(line.get_ydata(), expected)

    @pytest.mark.parametrize("name", ["validation_cost", "accuracy", "validation_accuracy"])
    def test_a_series_whose_epochs_are_unknown_is_refused(self, name):
        with pytest.raises(ShapeError, match=r"2 entries but .cost. 3"):
            plot.history({"cost": [3, 2, 1], name: [0.5, 0.5]})


class TestFrame:
    """Of pandas, and what it makes of a history by itself."""

    def test_has_a_row_an_epoch_and_a_column_a_quantity(self):
        pytest.importorskip("pandas", reason="pandas is not installed")
        history = History()
        history.extend({"cost": [3.0, 2.0, 1.0], "accuracy": [0.5, 0.75]})
        frame = history.to_frame()
        assert frame.index.name == "epoch"
        assert frame.index.tolist() == [1, 2, 3]
        assert frame["cost"].tolist() == [3.0, 2.0, 1.0]
        np.testing.assert_array_equal(frame["accuracy"], [np.nan, 0.5, 0.75])
        frame.loc[1, "cost"] = 9.0
        assert history["cost"][0] == 3.0
        assert len(History().to_frame()) == 0

    def test_without_pandas_says_how_to_install_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(errors.MissingExtraError, match="pip install pandas"):
            History().to_frame()

    def test_is_not_made_of_the_names_of_the_curves(self):
        pandas = pytest.importorskip("pandas", reason="pandas is not installed")
        history = History()
        history.extend({"cost": [3.0, 2.0]})
        for wrong in (pandas.DataFrame, np.asarray):
            with pytest.raises(TypeError, match=r"history\.to_frame\(\)"):
                wrong(history)
        assert pandas.DataFrame(dict(history))["cost"].tolist() == [3.0, 2.0]


class TestNotebook:
    def test_shows_first_last_and_best_values_and_a_picture_of_each_quantity(self):
        history = History()
        history.extend({"cost": [0.5, 0.125, 0.25], "validation_cost": [0.75, 0.5]})
        history.extend({"accuracy": [0.5, 0.75, 0.625], "learning_rate": [0.1] * 3})
        text = history._repr_html_()
        cells = re.findall(r"<td[^>]*>([^<]*)</td>", text)
        assert [cells[k : k + 5] for k in range(0, len(cells), 5)] == [
            ["cost", "0.5", "0.25", "0.125", "2"],
            ["validation_cost", "0.75", "0.5", "0.5", "3"],
            ["accuracy", "0.5", "0.625", "0.75", "2"],
        ]
        pictures = re.findall(r"<svg.*?</svg>", text)
        assert [picture.count("<polyline") for picture in pictures] == [2, 1]
        assert [len(points.split()) for points in re.findall(r'points="([^"]*)"', text)] == [
            3,
            2,
            3,
        ]
        for picture in pictures:
            ElementTree.fromstring(picture)

    def test_is_light_however_long_the_training_was(self):
        history = History()
        history.extend({"cost": np.geomspace(1e3, 1e-3, 100_000)})
        assert len(history._repr_html_()) < 10_000
        points = re.search(r'points="([^"]*)"', history._repr_html_())[1].split()
        x, y = np.array([point.split(",") for point in points], float).T
        np.testing.assert_allclose(np.diff(y), np.diff(y)[0], atol=0.21)  # straight: axis of logs
        assert x[0] < x[-1]
        assert y[0] < y[-1]

    @pytest.mark.parametrize("cost", [[], [np.nan], [2.0], [0.0, 0.0], [1.0, np.inf, 2.0]])
    def test_has_no_epoch_or_one_or_no_number(self, cost):
        history = History()
        history.extend({"cost": cost, "<i>mine": cost})
        ElementTree.fromstring(f"<div>{history._repr_html_()}</div>")
        assert "<i>" not in history._repr_html_()
        assert "nan" not in history._repr_html_()
