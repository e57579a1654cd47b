"""Tuning: spaces, draws, pruning, resuming, processes, and what mattered."""

from __future__ import annotations

import functools
import logging
import pickle
import warnings

import builders
import numpy as np
import pytest

import fastnn
from fastnn import Adam, Dense, Momentum, Network, spaces
from fastnn._display.short_repr import stable_repr
from fastnn.callbacks import EarlyStopping
from fastnn.data import moons
from fastnn.errors import DataError, MissingExtraError, SettingError
from fastnn.network.description import state_of
from fastnn.tuning.results import Search

optuna = pytest.importorskip("optuna")

X, Y = moons(80, noise=0.1, seed=0)
RATE = {"learning_rate": spaces.Log(1e-4, 1e-1)}
DRAWN = [
    (0.004043878009515107, 6, 0.18426234927955876),
    (0.08311303692128176, 4, 0.9772041531366338),
    (0.06822049344477961, 3, 0.9979136668612456),
]


def small(units=4):
    return builders.network(units, "relu", seed=1)


def search(make=small, space=RATE, **settings):
    return fastnn.tune(make, X, Y, space, **{"trials": 4, "epochs": 2} | settings)


class TestSpaces:
    @pytest.mark.parametrize("kind", [spaces.Linear, spaces.Log, spaces.Momentum, spaces.Integer])
    def test_swapped_and_equal_bounds(self, kind):
        high, low = (5, 2) if kind is spaces.Integer else (0.5, 0.2)
        with pytest.raises(SettingError, match=r"low must be below high.*swapped"):
            kind(high, low)
        with pytest.raises(SettingError, match=r"low must be below high.*single value"):
            kind(low, low)

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: spaces.Log(0, 1), "low must be a finite number greater than 0"),
            (lambda: spaces.Log(-1, 1), "greater than 0"),
            (lambda: spaces.Integer(0, 8, log=True), "greater than 0"),
            (lambda: spaces.Integer(1.5, 8), "low of Integer must be a whole number"),
            (lambda: spaces.Momentum(0.9, 1.0), r"high of Momentum must lie in \(0, 1\)"),
            (lambda: spaces.Momentum(0.0, 0.9), r"low of Momentum must lie in \(0, 1\)"),
            (lambda: spaces.Linear(0, float("nan")), "high must be a finite number"),
            (lambda: spaces.Linear("0", 1), "low must be a finite number"),
            (lambda: spaces.Linear(-1e308, 1e308), "wider than float64.*-1e\\+308"),
            (lambda: spaces.Linear(0, 10**400), "high must be a finite number"),
            (lambda: spaces.Integer(0, 10**400), "high must be a finite number"),
            (lambda: spaces.Integer(0, 2**60), r"high of Integer must lie within ±2\*\*53"),
            (spaces.Choice, "at least one value"),
            (lambda: spaces.Choice([16, 32]), r"one by one.*got only a list.*Choice\(\*values\)"),
            (lambda: spaces.Choice((16, 32)), "got only a tuple"),
            (lambda: spaces.Choice(range(3)), "got only a range"),
            (lambda: spaces.Choice(np.arange(3)), "got only a ndarray"),
        ],
    )
    def test_bad_bounds(self, make, words):
        with pytest.raises(SettingError, match=words):
            make()

    @pytest.mark.parametrize("space", [{}, [], {"l2": (0, 1)}, {"l2": spaces.Log}, {1: RATE}])
    def test_no_space(self, space):
        with pytest.raises(SettingError, match="space"):
            search(space=space)

    @pytest.mark.parametrize(
        "values", [(np.arange(2), np.arange(3)), (1, True, 1.0), (float("nan"), 2.0)]
    )
    def test_choices_are_told_apart_by_what_they_are(self, values):
        part = spaces.Choice(*values)
        assert [part.place(value) for value in part.values] == list(range(len(values)))
        found = search(lambda kind: small(), {"kind": part}, epochs=1, trials=6)
        assert found.importance.keys() == {"kind"}

    def test_wide_spaces_are_drawn(self):
        space = {
            "a": spaces.Linear(-8e307, 8e307), "b": spaces.Log(5e-324, 1.7e308),
            "c": spaces.Integer(-(2**53), 2**53),
        }  # fmt: skip
        found = search(lambda a, b, c: small(), space, epochs=1, trials=4)
        for trial in found.trials:
            for name, part in space.items():
                assert part.low <= trial["parameters"][name] <= part.high

    def test_boxes_are_narrowed_on_the_scale(self):
        box = spaces.Log(1e-4, 1.0).box.around([1e-2])
        assert box.low == pytest.approx(10**-2.4)
        assert box.high == pytest.approx(10**-1.6)
        assert spaces.Log(1e-4, 1.0).box.around([1e-4, 1.0])[:2] == (1e-4, 1.0)
        assert spaces.Integer(1, 9).box.around([4, 5])[:2] == (3, 6)
        assert spaces.Choice(*"abcdefgh").box.around([2])[:2] == (1, 3)

    def test_momentum_is_drawn_by_its_distance_from_one(self):
        found = search(space={"beta1": spaces.Momentum(0.9, 0.9999)}, trials=30, epochs=1,
                       refine=False)  # fmt: skip
        far = np.log10([1 - t["parameters"]["beta1"] for t in found.trials])
        assert -4 <= far.min() < -3.3
        assert -1.7 < far.max() <= -1
        assert abs(np.median(far) + 2.5) < 0.6

    def test_learning_rates_are_drawn_by_decades(self):
        found = search(trials=30, epochs=1, refine=False)
        decades = np.log10([t["parameters"]["learning_rate"] for t in found.trials])
        assert np.histogram(decades, bins=[-4, -3, -2, -1])[0].min() >= 4


class TestTune:
    def test_best_can_be_trained_again(self):
        space = {**RATE, "units": spaces.Integer(2, 16, log=True), "batch_size": spaces.Choice(8)}
        found = search(space=space, monitor="validation_cost")
        assert [t["number"] for t in found.trials] == [0, 1, 2, 3]
        best = found.best
        net = small(best["units"])
        history = net.fit(X, Y, epochs=2, batch_size=8, optimizer=Adam(best["learning_rate"]),
                          validation_split=0.2, progress=False)  # fmt: skip
        assert history["validation_cost"][-1] == found.best_score
        assert found.best_score == min(t["score"] for t in found.trials)

    def test_seed_decides(self):
        first, again, other = (search(seed=seed).trials for seed in (3, 3, 4))
        assert first == again
        assert first[0]["parameters"] != other[0]["parameters"]

    def test_seed_decides_under_every_optuna(self):
        """Draws that Optuna 4.9 and 5.0 gave; its own default sampler drew others from 5 on."""
        space = {**RATE, "units": spaces.Integer(2, 16, log=True), "dropout": spaces.Linear(0, 1)}
        make = functools.partial(Network.mlp, [2, 2, 1], output="sigmoid")
        found = search(
            lambda units, dropout: (make(dropout=dropout), {"batch_size": 128}),
            space, trials=3, epochs=1,
        )  # fmt: skip
        drawn = [tuple(t["parameters"].values()) for t in found.trials]
        np.testing.assert_allclose(drawn, DRAWN, rtol=1e-12)

    def test_settings_go_where_they_are_known(self):
        seen = []

        def make(units):
            note = EarlyStopping(monitor="cost", patience=50)
            return small(units), {
                "optimizer": Momentum(0.1),
                "callbacks": [
                    note,
                    lambda net, history: seen.append(state_of(net).training.optimizer),
                ],
            }

        space = {"beta": spaces.Momentum(0.5, 0.9), "units": spaces.Choice(3), **RATE}
        found = search(make, space, trials=1)
        values = found.best
        assert seen[0] == Momentum(values["learning_rate"], values["beta"])
        assert found.best["units"] == 3

    def test_metrics_can_be_monitored(self):
        found = search(monitor="validation_f1")
        assert found.best_score == max(t["score"] for t in found.trials)

    def test_refined_trials_stand_around_the_best(self):
        found = search(trials=16, epochs=3, monitor="validation_cost", prune=False)
        rates = [t["parameters"]["learning_rate"] for t in found.trials]
        best = sorted(found.trials[:8], key=lambda t: t["score"])[:2]
        box = RATE["learning_rate"].box.around([t["parameters"]["learning_rate"] for t in best])
        assert all(box.low <= rate <= box.high for rate in rates[8:])
        assert not all(box.low <= rate <= box.high for rate in rates[:8])

    def test_hopeless_trials_are_pruned(self):
        space = {"learning_rate": spaces.Log(1e-6, 1e-1)}
        settings = {"trials": 16, "epochs": 12, "monitor": "validation_cost", "refine": False}
        found = search(space=space, **settings)
        pruned = [t for t in found.trials if t["state"] == "pruned"]
        assert pruned
        assert all(t["epochs"] < 12 for t in pruned)
        assert found.ranking[0]["state"] == "finished"
        whole = search(space=space, **settings, prune=False)
        assert {t["epochs"] for t in whole.trials} == {12}
        assert found.best == whole.best

    def test_diverged_trials_have_no_score(self):
        space = {"learning_rate": spaces.Choice(1e38)}
        found = fastnn.tune(
            lambda: (Network([Dense(1)]), {"optimizer": fastnn.GradientDescent()}),
            X, X[:, 0], space, trials=2, epochs=3, monitor="validation_cost",
        )  # fmt: skip
        assert [t["state"] for t in found.trials] == ["diverged", "diverged"]
        assert found.trials[0]["score"] is None
        with pytest.raises(DataError, match="no trial was finished"):
            _ = found.best
        assert "2 diverged" in repr(found)

    def test_callbacks_see_every_trial_and_ctrl_c_keeps_them(self):
        seen = []

        def watch(trial):
            seen.append(trial)
            if len(seen) == 2:
                raise KeyboardInterrupt

        found = search(callbacks=[watch])
        assert found.interrupted
        assert found.trials == seen
        assert "stopped by Ctrl-C" in repr(found)

    def test_optuna_is_silent_only_meanwhile(self, caplog):
        before = optuna.logging.get_verbosity()
        with caplog.at_level(logging.INFO):
            search()
        assert optuna.logging.get_verbosity() == before
        assert not caplog.records


def _optuna_study(path, new=False):
    """Return the study in a file, as Optuna reads it."""
    journal = optuna.storages.journal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(path)))
    make = optuna.create_study if new else optuna.load_study
    return make(study_name="fastnn", storage=storage)


class TestStudyFile:
    def test_it_resumes(self, tmp_path):
        path, new = tmp_path / "a.study", []
        first = search(trials=3, study=path, refine=False)
        more = search(trials=5, study=path, refine=False, callbacks=[new.append])
        assert more.trials[:3] == first.trials
        assert more.trials[3:] == new
        assert more.trials == search(trials=5, refine=False).trials
        search(trials=5, study=path, refine=False, callbacks=[new.append])
        assert len(new) == 2

    def test_a_failed_trial_is_tried_again(self, tmp_path):
        calls = []

        def fragile():
            calls.append(1)
            if len(calls) == 2:
                raise RuntimeError("mine")
            return small()

        with pytest.raises(RuntimeError, match="mine"):
            search(fragile, study=tmp_path / "a")
        found = search(study=tmp_path / "a")
        assert [t["number"] for t in found.trials] == [0, 1, 2, 3]

    def test_no_call_within_another(self, tmp_path):
        path, seen = tmp_path / "a", []

        def again(trial):
            with pytest.raises(SettingError, match="being searched by another call") as caught:
                search(study=path)
            seen.append(str(caught.value))

        found = search(study=path, callbacks=[again])
        assert len(seen) == 4
        assert search(study=path).trials == found.trials  # and the lock is free again
        numbers = [t.user_attrs["index"] for t in _optuna_study(path).trials]
        assert sorted(numbers) == [0, 1, 2, 3]

    @pytest.mark.parametrize("content", [b"hello", b"\x00\xff\n", b"[1]\n", b'{"op_code": 99}\n'])
    def test_no_study(self, tmp_path, content):
        path = tmp_path / "a"
        path.write_bytes(content)
        with pytest.raises(SettingError, match="study"):
            search(study=path)
        assert path.read_bytes() == content

    def test_a_torn_last_line_is_mended_and_a_torn_middle_told(self, tmp_path):
        path = tmp_path / "a"
        first = search(trials=2, study=path, refine=False)
        path.write_bytes(path.read_bytes() + b'{"op_code": 4, "wor')
        assert search(trials=3, study=path, refine=False).trials[:2] == first.trials
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:5], lines[5][:9] + b"\n", *lines[6:]]))
        with pytest.raises(SettingError, match="is damaged"):
            search(trials=4, study=path, refine=False)

    def test_a_folder_is_no_study(self, tmp_path):
        with pytest.raises(SettingError, match="is not a study file"):
            search(study=tmp_path)

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("epochs", {"epochs": 3}),
            ("seed", {"seed": 1}),
            ("monitor", {"monitor": "accuracy"}),
            ("space", {"space": {"learning_rate": spaces.Log(1e-3, 1)}}),
        ],
    )
    def test_another_search(self, tmp_path, name, change):
        search(trials=1, study=tmp_path / "a")
        with pytest.raises(SettingError, match=f"another search: its {name} is"):
            search(trials=1, study=tmp_path / "a", **change)


class TestAnotherTask:
    """A study knows what it was of, so that no search returns the trials of another one."""

    def refused(self, path, words, make=small, data=(X, Y), **settings):
        before = _optuna_study(path)
        with pytest.raises(SettingError, match=words) as caught:
            fastnn.tune(make, *data, RATE, **{"trials": 3, "epochs": 2, "study": path} | settings)
        assert "\n" not in str(caught.value)
        after = _optuna_study(path)
        assert (after.trials, after.user_attrs) == (before.trials, before.user_attrs)

    @pytest.mark.parametrize(
        "data", [(X, 1 - Y), (X + 1, Y), (X[::-1], Y), (X[:-1], Y[:-1]), (X[:, ::-1], Y)]
    )
    def test_other_data(self, tmp_path, data):
        search(trials=1, study=tmp_path / "a")
        self.refused(tmp_path / "a", "its X and y are not those of this call", data=data)

    @pytest.mark.parametrize(
        "settings", [{"validation_split": 0.3}, {"validation_data": (X, Y)}], ids=["share", "data"]
    )
    def test_another_validation_part(self, tmp_path, settings):
        search(trials=1, study=tmp_path / "a")
        self.refused(tmp_path / "a", "its validation data or share", **settings)
        search(trials=1, study=tmp_path / "b", validation_data=(X, Y))
        self.refused(tmp_path / "b", "its validation", validation_data=(X, 1 - Y))

    @pytest.mark.parametrize(
        "make",
        [
            lambda: small(5),
            lambda: Network([Dense(4, "tanh"), Dense(1, "sigmoid")], seed=1),
            lambda: Network([Dense(4, "relu"), Dense(1, "sigmoid")], seed=2),
            lambda: (small(), {"l2": 0.1}),
            lambda: (small(), {"optimizer": Momentum()}),
            lambda: (small(), {"sample_weight": np.ones(len(X))}),
        ],
        ids=["units", "activation", "seed", "l2", "optimizer", "weights"],
    )
    def test_another_network_or_other_settings(self, tmp_path, make):
        search(trials=1, study=tmp_path / "a")
        self.refused(tmp_path / "a", "make_network gives another network", make=make)

    def test_weights_that_the_network_begins_with(self, tmp_path):
        def make(weight):
            net = Network([Dense(1, "sigmoid")], inputs=2)
            net.parameters["b1"] = [weight]
            return net

        search(lambda: make(1.0), trials=1, study=tmp_path / "a")
        self.refused(tmp_path / "a", "make_network gives another", make=lambda: make(2.0))
        assert len(search(lambda: make(1.0), trials=2, study=tmp_path / "a").trials) == 2

    def test_the_same_task_in_other_containers_is_the_same(self, tmp_path):
        note = EarlyStopping(monitor="cost", patience=50)  # a callback has no repr of its own

        def make(units):
            return small(units), {"callbacks": [note], "class_weight": {0: 1.0, 1: 2.0}}

        space = {**RATE, "units": spaces.Choice(2, 3), "activation": spaces.Choice(np.tanh, small)}
        settings = {"space": {**space, "activation": spaces.Choice("relu")}, "epochs": 1}
        first = search(lambda units, activation: make(units), study=tmp_path / "a", **settings)
        again = fastnn.tune(
            lambda units, activation: make(units), np.asfortranarray(X), Y.tolist(),
            settings["space"], trials=4, epochs=1, study=tmp_path / "a",
        )  # fmt: skip
        assert again.trials == first.trials

    def test_a_choice_of_functions_is_the_same_in_another_process(self):
        class Function:
            def __init__(self, place):
                self.place = place

            def __repr__(self):
                return f"<function relu at 0x{self.place:x}>"

        assert stable_repr(spaces.Choice(Function(7))) == stable_repr(spaces.Choice(Function(8)))

    def test_a_study_of_the_version_before_goes_on(self, tmp_path):
        """Its trials were asked for, and told later; it noted neither data nor networks."""
        first, study = search(trials=2, refine=False), _optuna_study(tmp_path / "a", new=True)
        known = {"space": stable_repr(sorted(RATE.items())), "monitor": first.monitor}
        for name, value in (known | {"epochs": 2, "seed": 0}).items():
            study.set_user_attr(name, value)
        box = optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
        study.ask().set_user_attr("index", 1)  # whose process was killed
        for number, parameters, state, score, epochs in map(dict.values, first.trials):
            study.enqueue_trial(parameters)
            trial = study.ask({"learning_rate": box})
            trial.set_user_attr("index", number)
            trial.set_user_attr("end", {"state": state, "score": score, "epochs": epochs})
            study.tell(trial, score)
        assert search(trials=3, study=tmp_path / "a", refine=False).trials[:2] == first.trials
        self.refused(tmp_path / "a", "its X and y", data=(X, 1 - Y))


class TestFailingTrials:
    def fragile(self, numbers):
        calls = []

        def make():
            calls.append(1)
            if len(calls) - 1 in numbers:
                raise RuntimeError("mine")
            return small()

        return make

    @pytest.mark.parametrize("catch", [RuntimeError, (KeyError, RuntimeError), Exception])
    def test_are_caught(self, tmp_path, catch):
        found = search(self.fragile({1, 2}), catch=catch, study=tmp_path / "a", refine=False)
        assert [t["state"] for t in found.trials] == ["finished", "failed", "failed", "finished"]
        assert found.trials[1]["score"] is None
        assert found.trials[1]["error"] == "RuntimeError: mine"
        assert found.ranking[0]["state"] == "finished"
        assert "2 failed" in repr(found)
        assert "failed: RuntimeError: mine" in repr(found)
        assert search(study=tmp_path / "a", refine=False).trials == found.trials

    def test_where_all_fail_the_first_is_told(self):
        found = search(self.fragile(set(range(9))), catch=RuntimeError)
        with pytest.raises(DataError, match=r"no best one; all failed, .*RuntimeError: mine"):
            _ = found.best

    def test_others_end_the_search_and_are_named(self):
        with pytest.raises(RuntimeError, match="mine") as caught:
            search(self.fragile({1}), catch=KeyError)
        note = " ".join(caught.value.__notes__)
        assert "trial 1" in note
        assert "learning_rate" in note
        assert "catch=" in note

    @pytest.mark.parametrize(
        "catch", [KeyboardInterrupt, "ValueError", (ValueError, 3), [KeyError]]
    )
    def test_catch_is_of_exceptions(self, catch):
        with pytest.raises(SettingError, match="catch must be exception classes"):
            search(catch=catch)


class TestTheEpochOfTheScore:
    """Where a callback brings the best weights back, their epoch is what the trial is ranked by."""

    @pytest.mark.parametrize("restore", [True, False])
    @pytest.mark.parametrize("watched", ["validation_cost", "validation_accuracy"])
    def test_is_that_of_the_weights(self, restore, watched):
        networks, stop = [], EarlyStopping(watched, 50, restore_best=restore)

        def make():
            networks.append(small())
            return networks[-1], {"callbacks": [stop]}

        monitor = "validation_cost"
        space = {"learning_rate": spaces.Log(0.1, 1.0)}
        found = search(make, space, trials=3, epochs=30, monitor=monitor, prune=False)
        for trial, net in zip(found.trials, networks, strict=True):
            curve = net.history[monitor]
            best = int(np.argmin(curve) if "cost" in watched else
                       np.argmax(net.history[watched]))  # fmt: skip
            assert trial["score"] == curve[best if restore else -1]
        assert any(np.argmin(net.history[monitor]) < 29 for net in networks)


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"trials": 0}, "trials must be a whole number of at least 1"),
            ({"epochs": 0}, "epochs must be"),
            ({"processes": 0}, "processes must be"),
            ({"validation_split": 1.0}, "validation_split must lie in"),
            ({"monitor": "validation_luck"}, "monitor 'validation_luck' does not exist"),
            ({"monitor": None}, "monitor None does not exist"),
            ({"validation_split": 0.0}, "history holds cost, accuracy"),
            ({"space": {"luck": spaces.Linear(0, 1)}}, "neither make_network, fit nor Adam"),
            ({"space": {"epochs": spaces.Integer(1, 3)}}, "'epochs'"),
            ({"make": lambda: 3}, "make_network must return a Network"),
            ({"make": lambda: (small(), {"epochs": 3})}, "returns hold 'epochs'"),
            ({"make": lambda units=3: small(units), "processes": 2}, "stands in a module"),
        ],
    )
    def test_one_clear_error(self, settings, words):
        with pytest.raises(SettingError, match=words) as caught:
            search(**settings)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("callbacks", [3, None, print, [3], [dict]])
    def test_callbacks_are_refused_before_the_first_trial(self, callbacks):
        made = []
        with pytest.raises(SettingError, match=r"callbacks (must be|holds)"):
            search(lambda: made.append(0), callbacks=callbacks)
        assert not made

    @pytest.mark.parametrize("maker", [small(), "mlp", None])
    def test_what_makes_no_networks_is_named(self, maker):
        with pytest.raises(SettingError, match=r"make_network must be a function.* got \w+; write"):
            search(maker)

    def test_without_optuna(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "optuna", None)
        with pytest.raises(MissingExtraError, match=r"tuning needs optuna.*fastnn\[tune\]"):
            search()


def made_up(scores, space, **parameters):
    trials = [
        {"number": k, "parameters": {name: values[k] for name, values in parameters.items()},
         "score": score, "epochs": 1, "state": "finished"}
        for k, score in enumerate(scores)
    ]  # fmt: skip
    return Search(trials, space, "validation_accuracy")


class TestSearch:
    def test_a_peak_in_the_middle_matters(self):
        rng = np.random.default_rng(0)
        rates, noise = np.geomspace(1e-5, 1, 30), rng.random(30)
        scores = -((np.log10(rates) + 2.5) ** 2)
        space = {"noise": spaces.Linear(0, 1), "rate": spaces.Log(1e-5, 1)}
        found = made_up(scores, space, rate=list(rates), noise=list(noise))
        assert list(found.importance) == ["rate", "noise"]
        assert found.importance["rate"] > 0.9
        assert found.importance["noise"] < 0.25

    def test_choices_matter_by_group(self):
        kinds = ["tanh", "relu", "selu"] * 5
        scores = [{"tanh": 0.5, "relu": 0.9, "selu": 0.2}[kind] for kind in kinds]
        space = {"kind": spaces.Choice("relu", "selu", "tanh")}
        assert made_up(scores, space, kind=kinds).importance["kind"] == pytest.approx(1)

    def test_nothing_matters_in_ties_and_few_trials(self):
        space = {"rate": spaces.Log(1e-5, 1)}
        assert made_up([0.5] * 9, space, rate=[0.1 * k for k in range(1, 10)]).importance == {
            "rate": 0.0
        }
        assert made_up([0.5, 0.6], space, rate=[0.1, 0.2]).importance == {"rate": 0.0}

    def test_table(self):
        space = {"rate": spaces.Log(1e-5, 1)}
        lines = repr(made_up([0.5, 0.75], space, rate=[0.1, 0.2])).splitlines()
        assert lines[0].split() == ["trial", "rate", "validation_accuracy"]
        assert lines[1].split() == ["1", "0.2", "0.7500"]
        assert "2 trials: 2 finished, 0 pruned, 0 diverged" in lines

    def test_it_pickles(self):
        found = search(trials=1)
        assert pickle.loads(pickle.dumps(found)).best == found.best


class TestWhatNext:
    """A Search gives the best network: untrained, or trained on what one has."""

    @pytest.mark.medium
    def test_the_best_trial_again(self):
        def make(units):
            return small(units), {"optimizer": Momentum(0.1), "batch_size": 16}

        space = RATE | {"units": spaces.Integer(2, 6), "l2": spaces.Log(1e-3, 1)}
        found = search(make, space, epochs=3)
        net = found.refit(X, Y, validation_split=0.2)
        assert net.history["validation_accuracy"][-1] == found.best_score
        assert net.history.epochs == 3
        best = found.best
        own = small(best["units"])
        own.fit(X, Y, epochs=3, batch_size=16, optimizer=Momentum(best["learning_rate"]),
                l2=best["l2"], validation_split=0.2)  # fmt: skip
        np.testing.assert_array_equal(net.program.theta, own.program.theta)
        assert found.refit(X, Y, epochs=1).history.epochs == 1
        assert "validation_accuracy" not in found.refit(X, Y).history

    def test_a_network_that_is_not_trained(self):
        found = search(trials=1)
        net, settings = found.build()
        assert net.history.epochs == 0
        assert settings == {"epochs": 2, "optimizer": Adam(found.best["learning_rate"])}
        assert net.fit(X, Y, **settings).epochs == 2

    def test_it_says_so(self):
        found = search(trials=1)
        assert "net = found.refit(X, y)" in repr(found)
        assert "found.refit" not in found.summary()

    def test_a_search_that_was_pickled(self):
        found = search(trials=1)
        assert pickle.loads(pickle.dumps(found)).refit(X, Y).history.epochs == 2
        other = pickle.loads(pickle.dumps(search(lambda: small(3), trials=1)))
        assert "found.refit" not in repr(other)
        with pytest.raises(SettingError, match="does not know what makes its networks"):
            other.build()

    def test_no_best(self):
        with pytest.raises(DataError, match="no trial was finished"):
            Search([], RATE, "validation_accuracy").refit(X, Y)

    @pytest.mark.parametrize(("trials", "guess"), [(29, True), (30, False)])
    def test_importances_of_few_trials_are_a_guess(self, trials, guess):
        rng = np.random.default_rng(0)
        found = made_up(rng.random(trials), RATE, learning_rate=list(rng.random(trials)))
        assert (f"a rough guess: {trials} trials of the 30 it takes" in repr(found)) == guess

    def test_one_epoch(self):
        found = made_up([0.5], RATE, learning_rate=[0.1])
        found.trials[0].update(state="pruned", epochs=1)
        assert "pruned after 1 epoch\n" in f"{found}\n"


class TestPicture:
    @pytest.fixture(autouse=True)
    def _needs_matplotlib(self):
        pytest.importorskip("matplotlib").use("Agg")

    @pytest.mark.medium
    @pytest.mark.parametrize(
        ("part", "values", "scale"),
        [
            (spaces.Log(1e-5, 1), [1e-4, 1e-2, 1e-1], "log"),
            (spaces.Linear(0, 1), [0.1, 0.2, 0.3], "linear"),
            (spaces.Choice("a", "b"), ["b", "a", "b"], "linear"),
        ],
    )
    def test_scores_over_the_parameter(self, part, values, scale):
        import matplotlib.pyplot as plt

        ax = fastnn.plot.search(made_up([0.5, 0.75, 0.6], {"part": part}, part=values))
        assert (ax.get_xlabel(), ax.get_xscale()) == ("part", scale)
        assert [line.get_ydata()[0] for line in ax.lines] == [0.5, 0.75, 0.6]
        bars = ax.figure.axes[1]
        found = made_up([0.5, 0.75, 0.6], {"part": part}, part=values).importance
        assert [bar.get_width() for bar in bars.patches] == [found["part"]]
        ax.figure.canvas.draw()
        assert ax.get_position().x1 < bars.get_position().x0
        plt.close(ax.figure)

    def test_the_picture_names_its_dots_and_says_when_trials_are_few(self):
        pytest.importorskip("matplotlib")
        part = spaces.Linear(0, 1)
        for count, words in ((12, ["a rough guess: 12 trials of the 30 it takes"]), (30, [])):
            rates = [k / count for k in range(count)]
            found = made_up(rates, {"part": part}, part=rates)
            ax = fastnn.plot.search(found)
            bars = ax.figure.axes[1]
            assert [text.get_text().replace("\n", " ") for text in bars.texts] == words
            names = [text.get_text() for text in ax.get_legend().get_texts()]
            assert names == ["best", "finished"]

    def test_every_choice_is_there_and_the_best_in_front(self):
        import matplotlib.pyplot as plt

        part = spaces.Choice("relu", "tanh", "selu")
        ax = fastnn.plot.search(made_up([0.8, 0.9, 0.9], {"part": part}, part=["tanh"] * 3))
        left, right = ax.get_xlim()
        assert left < 0
        assert right > 2
        heights = [line.get_zorder() for line in ax.lines]
        assert heights[1] > heights[2] == heights[0]
        plt.close(ax.figure)

    def test_refusals(self):
        with pytest.raises(DataError, match=r"what fastnn\.tune returns"):
            fastnn.plot.search([1])
        with pytest.raises(DataError, match="nothing to draw"):
            fastnn.plot.search(made_up([], {"part": spaces.Linear(0, 1)}))
