"""scikit-learn's own callbacks (from its version 1.9 on): told of every epoch of our estimators."""

import copy

import numpy as np
import pytest

import fastnn

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
callback = pytest.importorskip("sklearn.callback", reason="scikit-learn is older than 1.9")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

pytestmark = [
    pytest.mark.medium,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
X, Y = (part[:300] for part in load_digits(n_class=3, return_X_y=True))


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Screens on which no line of a progress bar is cut."""
    monkeypatch.setenv("COLUMNS", "200")


class Recorder:
    """Notes every call as (hook, task, number of the task), and the score of what is fitted."""

    def __init__(self, stop_after=None):
        self.calls, self.scores, self.weights, self.stop_after = [], [], [], stop_after

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name, context.task_id))

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.calls.append(("end", context.task_name, context.task_id))
        if hasattr(fitted_estimator, "score"):
            self.scores.append((context.task_name, fitted_estimator.score(X, y)))
            self.weights.append(metadata and metadata["sample_weight"])
            self.last = fitted_estimator
        return context.task_name == "epoch" and context.task_id == self.stop_after

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name, context.task_id))


class Passing(Recorder):
    """One that searches and pipelines pass on to the estimators inside them."""

    max_propagation_depth = None


def epochs(n):
    """What a fit of n epochs tells."""
    told = [(hook, "epoch", i) for i in range(n) for hook in ("begin", "end")]
    return [
        ("setup", "fit", 0), ("begin", "fit", 0), *told, ("end", "fit", 0), ("teardown", "fit", 0)
    ]  # fmt: skip


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_every_epoch_is_told(kind, solver):
    recorder = Recorder()
    net = getattr(fastnn, kind)(hidden_layer_sizes=(8,), solver=solver, max_iter=4, random_state=0)
    net.set_callbacks(recorder).fit(X, Y)
    assert recorder.calls == epochs(4)


def test_every_iteration_of_logistic_regression_is_told():
    recorder = Recorder()
    fastnn.LogisticRegression(max_iter=5).set_callbacks(recorder).fit(X, Y)
    assert recorder.calls == epochs(5)
    assert recorder.scores[-1] == ("fit", recorder.last.score(X, Y))


def test_what_is_fitted_so_far_is_the_network_after_that_epoch():
    recorder = Recorder()
    settings = {"hidden_layer_sizes": (8,), "random_state": 0}
    net = fastnn.MLPClassifier(max_iter=5, **settings).set_callbacks(recorder).fit(X, Y)
    shorter = [fastnn.MLPClassifier(max_iter=n, **settings).fit(X, Y) for n in range(1, 6)]
    assert recorder.scores[:-1] == [("epoch", other.score(X, Y)) for other in shorter]
    assert recorder.scores[-1] == ("fit", net.score(X, Y))


def test_what_is_fitted_so_far_stays_as_it_was():
    class Keeper(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "epoch":
                self.calls.append((fitted_estimator, copy.deepcopy(fitted_estimator.coefs_)))

    keeper = Keeper()
    fastnn.MLPClassifier((8,), max_iter=3, random_state=0).set_callbacks(keeper).fit(X, Y)
    kept = [call for call in keeper.calls if not isinstance(call[0], str)]
    assert [len(found.loss_curve_) for found, _ in kept] == [1, 2, 3]
    for found, coefs in kept:
        assert np.array_equal(found.coefs_[0], coefs[0])


def test_held_out_rows_and_weights_are_told_apart():
    recorder, weight = Recorder(), np.linspace(1, 2, len(X))
    net = fastnn.MLPClassifier((8,), max_iter=2, random_state=0, early_stopping=True)
    net.set_callbacks(recorder).fit(X, Y, sample_weight=weight)
    assert {len(part) for part in recorder.weights} == {270}
    assert set(recorder.weights[0]) < set(weight)


def test_a_callback_stops_the_fit():
    recorder = Recorder(stop_after=2)
    net = fastnn.MLPClassifier((8,), max_iter=50, random_state=0)
    assert net.set_callbacks(recorder).fit(X, Y).n_iter_ == 3
    assert recorder.calls == epochs(3)


def test_patience_ends_the_epoch_that_never_ran_with_nothing_to_look_at():
    recorder = Recorder()
    net = fastnn.MLPClassifier((8,), tol=10.0, n_iter_no_change=2, random_state=0)
    net.set_callbacks(recorder).fit(X, Y)
    assert recorder.calls == epochs(net.n_iter_ + 1)
    assert len(recorder.scores) == net.n_iter_ + 1  # and that of the whole fit


def test_partial_fit_is_told():
    recorder = Recorder()
    net = fastnn.MLPClassifier((8,), random_state=0).set_callbacks(recorder)
    net.partial_fit(X, Y, classes=[0, 1, 2])
    assert recorder.calls == epochs(1)


def test_a_fit_that_fails_tears_down():
    class Fails(Recorder):
        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "epoch" and context.task_id == 1:
                raise OSError("no space left")

    recorder = Fails()
    net = fastnn.MLPClassifier((8,), random_state=0).set_callbacks(recorder)
    with pytest.raises(OSError, match="no space left"):
        net.fit(X, Y)
    assert recorder.calls[-1] == ("teardown", "fit", 0)
    assert len(net.set_callbacks().fit(X, Y).loss_curve_) > 1


def test_callbacks_change_no_bit_and_are_cloned():
    net = fastnn.MLPClassifier((8,), max_iter=5, random_state=0)
    told = clone(net.set_callbacks(recorder := Recorder())).fit(X, Y)
    assert recorder.calls == epochs(5)
    silent = net.set_callbacks().fit(X, Y)
    assert np.array_equal(told.coefs_[0], silent.coefs_[0])
    assert len(recorder.calls) == len(epochs(5))


def test_pipelines_pass_callbacks_on():
    recorder = Passing()
    net = fastnn.MLPClassifier((8,), max_iter=3, random_state=0)
    make_pipeline(StandardScaler(), net).set_callbacks(recorder).fit(X, Y)
    assert [call for call in recorder.calls if call[1] == "epoch"] == epochs(3)[2:-2]
    assert [call[0] for call in recorder.calls].count("setup") == 1


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_searches_show_our_epochs_in_their_progress_bar(capsys, jobs):
    pipeline = make_pipeline(StandardScaler(), fastnn.MLPClassifier((8,), max_iter=3))
    grid = {"mlpclassifier__alpha": [1e-4, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=jobs)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, Y)
    shown = capsys.readouterr().out
    assert shown.count("MLPClassifier - fit") == 5  # two candidates in two folds, and the best
    assert "100%" in shown


def test_the_progress_bar_shows_our_epochs(capsys):
    def fails(network, history):
        if history.epochs == 4:
            raise OSError("no space left")

    net = fastnn.MLPClassifier((8,), max_iter=7, random_state=0)
    net.set_callbacks(callback.ProgressBar()).fit(X, Y)
    shown = capsys.readouterr().out
    assert "MLPClassifier - fit" in shown
    assert "100%" in shown
    with pytest.raises(OSError, match="no space left"):
        net.set_params(callbacks=[fails]).fit(X, Y)
    assert " 43%" in capsys.readouterr().out  # three of seven


def test_the_scoring_monitor_has_a_line_for_every_epoch():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    net = fastnn.MLPClassifier((8,), max_iter=6, random_state=0).set_callbacks(monitor).fit(X, Y)
    lines = monitor.get_logs().data
    assert [line["task_name"] for line in lines] == ["fit"] + ["epoch"] * 6
    assert lines[-1]["accuracy"] == lines[0]["accuracy"] == net.score(X, Y)
