"""Every row of the tables of habits, by what a user types: accepted, or one sentence."""

import copy
import importlib
import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import Dense, Network, callbacks, layers, losses, optimizers, schedules
from fastnn._habits import answers, keywords, names, page, synonyms
from fastnn.errors import DataError, SettingError
from fastnn.history import History

X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
Y = np.array([0, 1, 1, 0])
QUIET = {"epochs": 2, "progress": False}


def network(output="sigmoid", units=1, **settings):
    return Network([Dense(3, "tanh"), Dense(units, output)], inputs=2, **settings)


def fitted(**settings):
    net = network(seed=1)
    return net, net.fit(X, Y, **QUIET | settings)


def stored(noun, name):
    """What is kept of a name given as text."""
    output = "softmax" if "categorical" in name or name == "nll" else "identity"
    output = "sigmoid" if name.startswith(("b", "cross", "log")) else output
    return {
        "activation": lambda: Dense(8, name).activation,
        "loss": lambda: network(output, 2 if output == "softmax" else 1, loss=name).loss,
        "initialiser": lambda: Dense(8, init=name).init,
        "optimizer": lambda: type(fitted(optimizer=name)[0]._state.training.optimizer).__name__,
        "metric": lambda: fitted(metrics=[name])[0]._state.metrics[0],
    }[noun]()


def pairs(tables):
    return [(place, name) for place, rows in tables.items() for name in rows]


class TestNames:
    @pytest.mark.parametrize(
        ("noun", "name"), [pair for pair in pairs(synonyms.SYNONYMS) if pair[0] != "curve"]
    )
    def test_synonyms_are_kept_under_our_name(self, noun, name):
        ours = synonyms.SYNONYMS[noun][name].answer
        if noun == "metric" and ours in ("mae", "mse", "r2"):
            net = network("identity")
            net.fit(X, Y, metrics=[name], **QUIET)
            assert net._state.metrics == (ours,)
        else:
            assert stored(noun, name) == ours

    @pytest.mark.parametrize(("noun", "name"), pairs(synonyms.REFUSED))
    def test_names_of_something_else_say_what_to_take(self, noun, name):
        with pytest.raises(SettingError, match="does not exist; ") as caught:
            stored(noun, name)
        assert synonyms.REFUSED[noun][name].answer in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("name", synonyms.CROSS_ENTROPY)
    def test_cross_entropy_is_the_partner_of_the_output(self, name):
        assert network("sigmoid", loss=name).loss == "binary_cross_entropy"
        assert network("softmax", 2, loss=name).loss == "categorical_cross_entropy"
        with pytest.raises(SettingError, match="needs a sigmoid or softmax output"):
            network("identity", loss=name)

    def test_case_hyphens_and_blanks_do_not_count(self):
        assert Dense(1, "ReLU") == Dense(1, "relu") == Dense(1, "Re-LU".replace("-", ""))
        assert network("identity", loss="Squared Error").loss == "squared_error"
        assert layers.Activation("LeakyReLU").function == "leaky_relu"
        assert "linear" not in repr(network("linear"))

    def test_a_named_optimizer_trains_as_its_object(self):
        one, two = fitted(optimizer="rmsprop")[1], fitted(optimizer=fastnn.RMSprop())[1]
        assert np.array_equal(one["cost"], two["cost"])

    def test_kept_names_are_those_of_files(self, tmp_path):
        net = network("linear", loss="mae", init="glorot_uniform")
        net.save(tmp_path / "net.safetensors")
        data = (tmp_path / "net.safetensors").read_bytes()
        assert b"absolute_error" in data
        assert b"mean_absolute" not in data
        assert b'"glorot"' in data or b"glorot_uniform" not in data
        assert fastnn.load(tmp_path / "net.safetensors").loss == "absolute_error"

    def test_users_own_names_come_first(self, monkeypatch):
        known = ("relu", "swish", "silu")
        assert answers.synonym("activation", "swish", known) == "swish"
        assert answers.synonym("activation", "SWISH", ("relu", "silu")) == "silu"

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: Dense(8, "rleu"), "did you mean 'relu'"),
            (lambda: network(loss="huberr"), "did you mean 'huber'"),
            (lambda: network(init="xaver"), "did you mean 'xavier'"),
            (lambda: fitted(optimizer="adm"), "did you mean 'Adam'"),
            (lambda: fitted(metrics=["recal"]), "did you mean 'recall'"),
            (lambda: Dense(8, np.tanh), "give 'tanh'"),
            (lambda: Dense(8, lambda z: z), r"activations\.register gives a function one"),
            (lambda: Dense(64, 32), r"here Dense\(32\)"),
        ],
    )
    def test_near_misses_and_functions(self, make, words):
        with pytest.raises(SettingError, match=words):
            make()


class TestCurves:
    @pytest.mark.parametrize("name", synonyms.SYNONYMS["curve"])
    def test_can_be_monitored_by_the_names_of_keras(self, name):
        ours = synonyms.SYNONYMS["curve"][name].answer
        one, two = (callbacks.EarlyStopping(each, patience=1) for each in (name, ours))
        ends = [fitted(epochs=9, callbacks=[c], validation_data=(X, Y))[1] for c in (one, two)]
        assert ends[0] == ends[1]
        assert one.monitor == ours
        plateaus = [schedules.Plateau(each, 0.5, 1) for each in (name, ours)]
        ends = [fitted(schedule=p, validation_data=(X, Y), epochs=5)[1] for p in plateaus]
        assert ends[0] == ends[1]

    def test_of_metrics_too(self):
        stopping = callbacks.EarlyStopping("val_f1_score")
        fitted(callbacks=[stopping], metrics=["f1_score"], validation_data=(X, Y))
        assert stopping.monitor == "validation_f1"

    def test_a_curve_of_ones_own_is_not_mistaken(self):
        history = History()
        history.extend({"cost": [1.0], "validation_cost": [2.0], "val_loss": [3.0]})
        assert history["val_loss"][0] == 3

    @pytest.mark.parametrize("name", ["val_loss", "val_accuracy", "loss", "acc"])
    def test_of_a_history_are_named(self, name):
        _, history = fitted(validation_data=(X, Y))
        ours = synonyms.SYNONYMS["curve"][name].answer
        with pytest.raises(KeyError, match=f"here it is '{ours}'"):
            history[name]
        assert name not in history


#: Calls by the tables of keywords; a row is of one of its calls.
CALLS = {
    "Network": [Network],
    "Network.mlp": [Network.mlp],
    "Network.fit": [Network.fit],
    "Network.predict": [Network.predict],
    "Network.predict_proba": [Network.predict_proba],
    "Network.evaluate": [Network.evaluate],
    "Dense": [Dense],
    "Activation": [layers.Activation],
    "Dropout": [layers.Dropout],
    "BatchNorm": [layers.BatchNorm],
    "GaussianNoise": [layers.GaussianNoise],
    "Normalization": [layers.Normalization],
    "optimizer": [getattr(optimizers, name) for name in ("Adam", "RMSprop", "LBFGS")],
    "loss": [losses.Huber, losses.Quantile],
    "schedule": [schedules.Step, schedules.Cosine],
    "callback": [callbacks.EarlyStopping, callbacks.Checkpoint],
}


def calls(place):
    if place.startswith("estimator"):
        estimators = pytest.importorskip("fastnn.estimators")
        kinds = [estimators.MLPClassifier]
        method = place.partition(".")[2]
        return [getattr(kind(), method) if method else kind for kind in kinds]
    return CALLS[place]


class TestKeywords:
    @pytest.mark.parametrize(("place", "name"), pairs(keywords.KEYWORDS))
    def test_get_one_sentence(self, place, name):
        row = keywords.KEYWORDS[place][name]
        for call in calls(place):
            known = inspect.signature(call).parameters
            if name in known or (row.renames and row.answer not in known):
                continue
            with pytest.raises(TypeError, match="unexpected keyword argument") as caught:
                call(**{name: 1})
            text = str(caught.value)
            assert repr(name) in text
            assert row.answer in text
            assert "\n" not in text
            return
        raise AssertionError(f"no call takes {row.answer!r} in place of {name!r}")

    @pytest.mark.parametrize("place", keywords.KEYWORDS)
    def test_signatures_stay(self, place):
        for call in calls(place):
            known = inspect.signature(call).parameters
            assert not {"args", "settings", "kwargs"} & set(known)

    def test_near_misses_and_all_others(self):
        net, _ = fitted()
        with pytest.raises(TypeError, match="did you mean 'epochs'"):
            net.fit(X, Y, epocs=3)
        with pytest.raises(TypeError, match=r"it takes learning_rate$"):
            fastnn.GradientDescent(zzz=1)
        assert net.history.epochs == 2

    def test_by_position(self):
        net = network()
        with pytest.raises(TypeError, match=r"takes 2 \(X, y\) by position, and got 3; .*epochs=…"):
            net.fit(X, Y, 10)
        with pytest.raises(TypeError, match=r"as one list: Network\(\["):
            Network(Dense(3), Dense(1))
        with pytest.raises(TypeError, match="use_bias=…"):
            Dense(3, "relu", False)

    def test_a_loader_or_generator_is_no_array(self):
        net = network()
        with pytest.raises(TypeError, match="two arrays of all examples"):
            net.fit(iter([(X, Y)]))
        with pytest.raises(DataError, match="X is a generator; fit goes over the data several"):
            net.fit((row for row in X), Y)
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'units'"):
            Dense()

    def test_estimators_are_cloned_and_read_as_before(self):
        base = pytest.importorskip("sklearn.base")
        model = fastnn.MLPClassifier((3,), dropout=0.1, loss="bce", activation="linear")
        twin = base.clone(model)
        assert twin.get_params() == model.get_params()
        assert "dropout" in model.get_params()
        with pytest.warns(UserWarning, match="max_iter=3"):
            twin.set_params(max_iter=3).fit(X, Y)
        assert twin.network_.loss == "binary_cross_entropy"
        assert twin.network_.layers[0].activation == "identity"


class TestAttributes:
    THINGS = {"Network": network, "History": History}  # noqa: RUF012 - nobody changes it

    @pytest.mark.parametrize(("place", "name"), pairs(names.ATTRIBUTES))
    def test_get_one_sentence_and_are_still_missing(self, place, name):
        thing = self.THINGS[place]()
        assert not hasattr(thing, name)
        with pytest.raises(AttributeError) as caught:
            getattr(thing, name)
        text = str(caught.value)
        assert text.endswith(names.ATTRIBUTES[place][name].answer.split("; ")[-1])
        assert text.startswith(f"'{place}' object has no attribute '{name}'")
        assert "\n" not in text

    def test_near_misses(self):
        with pytest.raises(AttributeError, match="did you mean 'summary'"):
            network().summery()
        with pytest.raises(AttributeError, match=r"no attribute '_nothing'$"):
            network()._nothing  # noqa: B018 - asked for alone

    def test_what_a_property_raises_comes_through(self):
        class Broken(Network):
            @property
            def broken(self):
                raise AttributeError("inner")

        with pytest.raises(AttributeError, match=r"^inner$"):
            Broken([Dense(1)]).broken  # noqa: B018 - asked for alone

    def test_calls(self):
        net = network()
        with pytest.raises(TypeError, match=r"net\.predict\(X\) gives labels"):
            net(X)
        with pytest.raises(TypeError, match="a mapping of names to arrays"):
            net.parameters()
        tune = pytest.importorskip("optuna") and fastnn.tune
        with pytest.raises(SettingError, match="make_network must be a function"):
            tune(net, {}, X, Y)

    def test_copies_and_pickles_are_unharmed(self):
        net, history = fitted()
        for twin in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            assert np.array_equal(twin.predict_proba(X), net.predict_proba(X))
        assert pickle.loads(pickle.dumps(history)) == copy.deepcopy(history) == history


class TestImports:
    @pytest.mark.parametrize("name", names.IMPORTS)
    def test_get_one_sentence(self, name):
        row = names.IMPORTS[name]
        assert not hasattr(fastnn, name)
        with pytest.raises(AttributeError, match=re.escape(row.answer)):
            getattr(fastnn, name)
        with pytest.raises(ImportError, match=re.escape(row.answer)) as caught:
            exec(f"from fastnn import {name}")
        assert str(caught.value).startswith(f"cannot import name '{name}' from 'fastnn'; ")

    @pytest.mark.parametrize(
        "module", ["callbacks", "data", "layers", "losses", "metrics", "optimizers", "schedules"]
    )
    def test_of_modules(self, module):
        found = importlib.import_module(f"fastnn.{module}")
        assert not hasattr(found, "Sequential")
        assert not hasattr(found, "__wrapped__")
        with pytest.raises(ImportError, match=r"here it is Network$"):
            exec(f"from fastnn.{module} import Sequential")
        near = found.__all__[0]
        with pytest.raises(AttributeError, match=f"did you mean '{near}'"):
            getattr(found, near + "z")

    def test_what_the_answers_name_exists(self):
        for row in names.IMPORTS.values():
            if row.renames:
                place = fastnn
                for part in row.answer.removeprefix("fastnn.").removesuffix("(path)").split("."):
                    place = getattr(place, part)


class TestFrames:
    """What people pass as X and y: the same numbers give the same fit."""

    @pytest.mark.parametrize("dtype", ["float64", "Float64", "float64[pyarrow]", "string"])
    def test_of_pandas(self, dtype):
        pandas = pytest.importorskip("pandas")
        if "pyarrow" in dtype:
            pytest.importorskip("pyarrow")
        if dtype == "string":
            frame = pandas.DataFrame({"a": ["x"] * 4, "b": [1.0] * 4})
            with pytest.raises(DataError, match="column 'a'"):
                network().fit(frame, Y)
            with pytest.raises(DataError, match=r"or train fastnn\.MLPClassifier"):
                network().fit(X, pandas.Series(["a", "b", "b", "a"]))
            return
        frame = pandas.DataFrame(X, columns=["a", "b"]).astype(dtype)
        net = network(seed=1)
        history = net.fit(frame, pandas.Series(Y), **QUIET)
        assert history == fitted()[1]
        assert np.array_equal(net.predict_proba(frame), fitted()[0].predict_proba(X))

    @pytest.mark.parametrize(("library", "make"), [("pyarrow", "table"), ("polars", "DataFrame")])
    def test_of_arrow_and_polars(self, library, make):
        module = pytest.importorskip(library, reason=f"{library} is not installed")
        frame = getattr(module, make)({"a": X[:, 0].tolist(), "b": X[:, 1].tolist()})
        assert network(seed=1).fit(frame, Y, **QUIET) == fitted()[1]


def test_the_page_holds_the_tables():
    """``python -c "from fastnn._habits import page; print(page.tables())"`` prints them."""
    root = Path(__file__).resolve().parents[2]
    text = (root / ".github/docs/how_to/habits.md").read_text(encoding="utf-8")
    assert page.tables() in text
