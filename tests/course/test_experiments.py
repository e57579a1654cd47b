"""Course 2's experiments through `Network.fit`: their numbers, their account, their pictures."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fastnn import errors
from fastnn.course import experiments

FOLDER = os.environ.get("FASTNN_DATA")


@pytest.fixture(autouse=True)
def _without_the_field(monkeypatch):
    monkeypatch.delenv("FASTNN_DATA", raising=False)


@pytest.fixture(scope="module")
def beginnings():
    return experiments.initialization()


def test_zeros_stay_equal_and_he_learns(beginnings):
    found = beginnings.outcomes
    assert list(found) == ["zeros", "small", "random × 10", "he", "xavier"]
    assert found["zeros"].spread == 0
    assert not found["zeros"].net.parameters["W1"].any()
    assert found["zeros"].cost == pytest.approx(np.log(2), abs=1e-4)
    assert found["zeros"].train == 0.5
    assert found["small"].cost == pytest.approx(np.log(2), abs=1e-3)
    assert all(found[name].spread > 0 for name in list(found)[1:])
    assert found["he"].test >= 0.9
    assert found["he"].cost < found["random × 10"].cost < found["small"].cost


def test_scores_are_of_the_training_data(beginnings):
    one = beginnings.outcomes["he"]
    assert one.train == pytest.approx(np.mean(one.net.predict(beginnings.X) == beginnings.y))
    assert (len(beginnings.X), one.net.history.epochs) == (300, 15000)


def test_the_ways_differ_only_in_what_they_say():
    found = experiments.regularization(epochs=300).outcomes
    assert list(found) == ["none", "L2, λ = 0.7", "dropout, 0.86 kept"]
    costs = [one.cost for one in found.values()]
    assert costs[0] < min(costs[1:])
    assert len(set(costs)) == 3


@pytest.mark.slow
def test_regularisation_narrows_the_gap():
    result = experiments.regularization()
    assert result.task == "overlapping moons"
    none, l2, dropout = result.outcomes.values()
    assert none.train > max(l2.train, dropout.train)
    assert none.test < min(l2.test, dropout.test)


@pytest.mark.slow
def test_the_field_when_it_is_there(monkeypatch):
    pytest.importorskip("scipy.io", reason="SciPy is not installed")
    if not FOLDER or not (Path(FOLDER) / "data.mat").exists():
        pytest.skip("FASTNN_DATA does not name a folder with data.mat")
    monkeypatch.setenv("FASTNN_DATA", FOLDER)
    result = experiments.regularization()
    assert result.task == "the football field"
    assert result.X.shape == (211, 2)
    assert all(0.9 <= one.test <= 0.96 for one in result.outcomes.values())


def test_a_folder_without_the_field_means_moons(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    assert experiments.regularization(epochs=1).task == "overlapping moons"


def test_depth_keeps_only_he_alive():
    spreads = experiments.depth(20).spreads
    assert {name: len(values) for name, values in spreads.items()} == {
        "small": 20,
        "large": 20,
        "he": 20,
    }
    assert spreads["small"][-1] < 1e-10
    assert spreads["large"][-1] > 1e10
    assert 0.1 < spreads["he"][-1] < 10


class TestDraw:
    @pytest.fixture(autouse=True)
    def _pyplot(self):
        pyplot = pytest.importorskip("matplotlib.pyplot", reason="Matplotlib is not installed")
        self.pyplot = pyplot
        yield
        pyplot.close("all")

    def test_a_row_of_boundaries_with_one_legend(self, beginnings):
        axes = experiments.draw(beginnings)
        assert len(axes) == 5
        one = beginnings.outcomes["he"]
        title = f"he\n{one.train:.1%} train, {one.test:.1%} test"
        assert axes[3].get_title() == title
        assert [ax.get_legend() is not None for ax in axes] == [False] * 4 + [True]
        assert len({ax.get_xlim() for ax in axes}) == 1

    @pytest.mark.medium
    def test_on_axes_that_are_given(self):
        result = experiments.regularization(epochs=1)
        row = self.pyplot.subplots(1, 3)[1]
        assert list(experiments.draw(result, axes=row)) == list(row)
        ax = self.pyplot.subplots()[1]
        assert list(experiments.draw(experiments.depth(3), axes=ax)) == [ax]

    @pytest.mark.medium
    def test_the_command_writes_a_picture_of_each(self, tmp_path, capsys):
        experiments.main(["--quick", "--out", str(tmp_path / "new")])
        out = capsys.readouterr().out
        assert "zeros:       cost 0.6931, 50.0% train, 50.0% test; the units of layer 1" in out
        assert "small: The signal vanishes" in out
        for name in experiments.EXPERIMENTS:
            path = tmp_path / "new" / f"{name}.png"
            assert path.read_bytes().startswith(b"\x89PNG")
            assert f"picture: {path}\n" in out
        assert self.pyplot.get_fignums() == []


def test_without_matplotlib_it_says_so_and_goes_on(monkeypatch, tmp_path, capsys):
    # What stands as None in sys.modules cannot be imported.
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(errors.MissingExtraError):
        experiments.draw(experiments.depth(2))
    only = {"depth": experiments.EXPERIMENTS["depth"]}
    monkeypatch.setattr(experiments, "EXPERIMENTS", only)
    experiments.main(["--quick", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert out.count("no picture: drawing needs matplotlib; install it with: pip install") == 1
    assert not list(tmp_path.iterdir())
