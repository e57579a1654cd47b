"""Optimisers step by step against ten lines of NumPy, schedules against their formulas."""

import dataclasses
import functools
import math

import builders
import numpy as np
import pytest
from fastnn.kernels.opcodes import Method

import fastnn
from fastnn import Dense, Network, callbacks, kernels, optimizers, schedules
from fastnn.errors import DataFileError, SettingError
from fastnn.optimizers.kinds import CHECKS

jitted = kernels.get("jitted")


def problem(m=40, n=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


network = functools.partial(builders.network, inputs=5, dtype="float64", seed=2)


def reference(optimizer, steps, X, y):
    """Parameters after full-batch steps, by the formulas of the literature."""
    net, o, rate = network(), optimizer, optimizer.learning_rate
    v = dict.fromkeys(net.parameters, 0.0)
    s = dict(v)
    for t in range(1, steps + 1):
        _, gradients = net.cost_and_gradients(X, y)
        for name, g in gradients.items():
            p = net.parameters[name].copy()
            if isinstance(o, fastnn.Adam):
                if isinstance(o, fastnn.AdamW) and name.startswith("W"):
                    p = p * (1 - rate * o.weight_decay)
                v[name] = o.beta1 * v[name] + (1 - o.beta1) * g
                s[name] = o.beta2 * s[name] + (1 - o.beta2) * g**2
                v_hat, s_hat = v[name] / (1 - o.beta1**t), s[name] / (1 - o.beta2**t)
                p -= rate * v_hat / (np.sqrt(s_hat) + o.epsilon)
            elif isinstance(o, fastnn.RMSprop):
                s[name] = o.beta * s[name] + (1 - o.beta) * g**2
                p -= rate * g / (np.sqrt(s[name]) + o.epsilon)
            elif isinstance(o, fastnn.Momentum):
                v[name] = o.beta * v[name] + (1 - o.beta) * g
                p -= rate * v[name]
            elif isinstance(o, fastnn.Nesterov):
                v[name] = o.beta * v[name] + (1 - o.beta) * g
                p -= rate * (o.beta * v[name] + (1 - o.beta) * g)
            else:
                p -= rate * g
            net.parameters[name] = p
    return net


OPTIMIZERS = [
    fastnn.GradientDescent(0.3),
    fastnn.Momentum(0.3, beta=0.8),
    fastnn.Nesterov(0.3, beta=0.8),
    fastnn.RMSprop(0.01, beta=0.8),
    fastnn.Adam(0.02, beta1=0.8, beta2=0.95),
    fastnn.AdamW(0.02, weight_decay=0.3),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
class TestSteps:
    def test_equal_the_formulas(self, optimizer, backend):
        X, y = problem()
        net = network()
        settings = {"batch_size": None, "optimizer": optimizer, "progress": False}
        net.fit(X, y, epochs=4, **settings)
        net.fit(X, y, epochs=3, **settings)
        expected = reference(optimizer, 7, X, y)
        np.testing.assert_allclose(net.program.theta, expected.program.theta, rtol=1e-10)

    def test_lower_the_cost(self, optimizer):
        X, y = problem()
        net = network()
        history = net.fit(X, y, epochs=300, optimizer=optimizer, progress=False)
        assert history["cost"][-1] < 0.8 * history["cost"][0]


def test_weight_decay_spares_biases(backend):
    X, y = problem()
    net, plain = network(), network()
    for each, optimizer in ((net, fastnn.AdamW(0.01, weight_decay=5)), (plain, fastnn.Adam(0.01))):
        for name in ("b1", "b2"):
            each.parameters[name][...] = 3
        each.fit(X, y, epochs=1, batch_size=None, optimizer=optimizer, progress=False)
    np.testing.assert_allclose(net.parameters["b1"], plain.parameters["b1"], rtol=1e-12)
    assert (net.parameters["W1"] != plain.parameters["W1"]).all()


@pytest.mark.slow
class TestTorch:
    """Where the conventions agree, PyTorch makes the same steps (only where it is installed)."""

    @pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Nesterov", "RMSprop"])
    def test_same_steps(self, name):
        torch = pytest.importorskip("torch")
        X, y = problem()
        net = network()
        start = {n: v.copy() for n, v in net.parameters.items()}
        ours = {
            "SGD": fastnn.Momentum(0.1 / (1 - 0.9), beta=0.9),
            "Nesterov": fastnn.Nesterov(0.1 / (1 - 0.9), beta=0.9),
            "Adam": fastnn.Adam(0.01), "RMSprop": fastnn.RMSprop(0.01),
            "AdamW": fastnn.AdamW(0.01, weight_decay=0.1),
        }[name]  # fmt: skip
        P = {n: torch.tensor(v, requires_grad=True) for n, v in start.items()}
        groups = [{"params": [P["W1"], P["W2"]]}, {"params": [P["b1"], P["b2"]]}]
        if name == "AdamW":
            groups[1]["weight_decay"] = 0.0
        theirs = {
            "SGD": lambda: torch.optim.SGD(groups, lr=0.1, momentum=0.9),
            "Nesterov": lambda: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True),
            "Adam": lambda: torch.optim.Adam(groups, lr=0.01),
            "RMSprop": lambda: torch.optim.RMSprop(groups, lr=0.01, alpha=0.9),
            "AdamW": lambda: torch.optim.AdamW(groups, lr=0.01, weight_decay=0.1),
        }[name]()  # fmt: skip
        A, b = torch.tensor(X), torch.tensor(y, dtype=torch.float64)
        for _ in range(5):
            theirs.zero_grad()
            Z = torch.tanh(A @ P["W1"] + P["b1"]) @ P["W2"] + P["b2"]
            torch.nn.functional.binary_cross_entropy_with_logits(Z[:, 0], b).backward()
            theirs.step()
        net.fit(X, y, epochs=5, batch_size=None, optimizer=ours, progress=False)
        for parameter, value in P.items():
            np.testing.assert_allclose(
                net.parameters[parameter], value.detach().numpy(), rtol=1e-6, atol=1e-9
            )


@pytest.mark.medium
@pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")
@pytest.mark.parametrize("method", [int(m) for m in Method])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sweep_in_cache_lines_gives_the_bits_of_the_whole(method, dtype):
    """Members of a team share parameters out by lines, so the bits must not depend on the cut."""
    from fastnn.kernels.jitted.compiler.jit import runnable
    from fastnn.kernels.jitted.ops import optimizers
    from fastnn.kernels.records import StepNumbers

    penalize = runnable(optimizers.penalize.function)
    step = runnable(optimizers.step.functions[method])
    numbers = StepNumbers(7, 0.01, 0.1, 0.9, 0.999, 1e-8, weight_decay=0.02)

    def swept(pieces):
        rng = np.random.default_rng(3)
        arrays = [abs(rng.normal(size=1200)).astype(dtype) for _ in range(4)]
        for piece in pieces:
            p, g, v, s = (array[piece] for array in arrays)
            penalize(p, g, 0.3, 0.01)
            step(p, g, v, s, numbers._replace(n_decayed=p.size))
        return np.concatenate(arrays)

    line, whole = 64 // np.dtype(dtype).itemsize, swept([slice(None)])
    for lines in (1, 3, 7):
        cuts = range(0, 1200, lines * line)
        np.testing.assert_array_equal(swept([slice(i, i + lines * line) for i in cuts]), whole)


class TestLBFGS:
    def test_finds_the_minimum_of_logistic_regression(self, backend):
        pytest.importorskip("scipy")
        X, y = problem()
        net = Network([Dense(1, "sigmoid")], inputs=5, dtype="float64")
        history = net.fit(X, y, epochs=60, l2=1.0, optimizer=fastnn.LBFGS(), progress=False)
        cost, gradients = net.cost_and_gradients(X, y, l2=1.0)
        assert history["cost"][-1] == pytest.approx(cost, rel=1e-9)
        assert max(np.abs(g).max() for g in gradients.values()) < 1e-5
        assert (np.diff(history["cost"]) <= 1e-12).all()

    def test_takes_no_gradient_twice(self, monkeypatch):
        pytest.importorskip("scipy")
        asked, kernels = [], fastnn.kernels.get("jitted")
        take = kernels.gradient
        monkeypatch.setattr(
            kernels, "gradient", lambda ops, theta, *rest: (asked.append(theta.tobytes()),
            take(ops, theta, *rest))[1],
        )  # fmt: skip
        X, y = problem()
        history = network().fit(X, y, epochs=9, optimizer=fastnn.LBFGS(), progress=False)
        assert history.epochs == 9
        assert len(asked) == len(set(asked)) >= 10

    def test_takes_validation_and_callbacks(self):
        pytest.importorskip("scipy")
        X, y = problem()
        net = network()
        history = net.fit(
            X, y, epochs=50, validation_split=0.3, optimizer=fastnn.LBFGS(), progress=False,
            callbacks=[lambda network, history: history.epochs == 4],
        )  # fmt: skip
        assert history.epochs == 4
        assert len(history["validation_accuracy"]) == 4

    def test_refuses_what_it_cannot(self):
        X, y = problem()
        with pytest.raises(SettingError, match="Dropout"):
            Network.mlp([5, 3, 1], output="sigmoid", dropout=0.1).fit(
                X, y, optimizer=fastnn.LBFGS(), progress=False
            )
        with pytest.raises(SettingError, match="no schedule"):
            network().fit(X, y, optimizer=fastnn.LBFGS(), schedule=schedules.Cosine(5))


FACTORS = [
    (schedules.InverseTime(0.5), lambda e: 1 / (1 + 0.5 * e)),
    (schedules.Staircase(0.5, 3), lambda e: 1 / (1 + 0.5 * (e // 3))),
    (schedules.Exponential(0.9), lambda e: 0.9**e),
    (schedules.Step(2, 0.3), lambda e: 0.3 ** (e // 2)),
    (schedules.InverseSqrt(), lambda e: 1 / math.sqrt(1 + e)),
    (schedules.Cosine(4), lambda e: (1 + math.cos(math.pi * min(e / 4, 1))) / 2),
    (schedules.WarmUp(3), lambda e: min((e + 1) / 3, 1)),
    (
        schedules.WarmUp(2, schedules.Exponential(0.5)),
        lambda e: (e + 1) / 2 if e < 2 else 0.5 ** (e - 2),
    ),
]


@pytest.mark.parametrize(("schedule", "formula"), FACTORS, ids=lambda v: type(v).__name__)
class TestSchedules:
    def test_multiply_the_rate(self, schedule, formula):
        """A linear cost has the same slope everywhere: the steps show the rates."""
        net = Network([Dense(1, use_bias=False)], inputs=1, loss="absolute_error", dtype="float64")
        net.parameters["W1"] = [[0.0]]
        seen = []
        net.fit([[1.0]], [1e6], epochs=7, batch_size=None, schedule=schedule, progress=False,
                optimizer=fastnn.GradientDescent(0.1),
                callbacks=[lambda n, h: seen.append(n.parameters["W1"].item())])  # fmt: skip
        np.testing.assert_allclose(np.diff([0.0, *seen]), [0.1 * formula(e) for e in range(7)],
                                   rtol=1e-9, atol=1e-15)  # fmt: skip

    def test_calls_of_one_epoch_equal_one_call(self, schedule, formula):
        X, y = problem()
        whole, parts = network(), network()
        whole.fit(X, y, epochs=5, batch_size=16, schedule=schedule, progress=False)
        for _ in range(5):
            parts.fit(X, y, epochs=1, batch_size=16, schedule=schedule, progress=False)
        np.testing.assert_array_equal(parts.program.theta, whole.program.theta)


def test_per_step_has_fractions_of_epochs():
    net = Network([Dense(1, use_bias=False)], inputs=1, loss="absolute_error", dtype="float64")
    net.parameters["W1"] = [[0.0]]
    net.fit([[1.0]] * 4, [1e6] * 4, epochs=2, batch_size=1, progress=False,
            schedule=schedules.InverseTime(1.0, per="step"),
            optimizer=fastnn.GradientDescent(1.0))  # fmt: skip
    expected = sum(1 / (1 + step / 4) for step in range(8))
    assert net.parameters["W1"].item() == pytest.approx(expected, rel=1e-12)


def test_one_cycle_rises_and_falls():
    factors = [schedules.OneCycle(10).factor(t) for t in np.linspace(0, 10, 101)]
    assert factors[0] == pytest.approx(1 / 25)
    assert max(factors) == pytest.approx(1)
    assert np.argmax(factors) == 30
    assert factors[-1] < 1e-4
    assert schedules.OneCycle(10).factor(99) == factors[-1]


def test_plateau_lowers_the_rate_when_nothing_improves():
    plateau = schedules.Plateau("cost", factor=0.5, patience=2)
    assert [plateau.follow([5, 4, 4, 4, 4, 4][:k]) for k in range(7)] == [
        1,
        1,
        1,
        1,
        0.5,
        0.5,
        0.25,
    ]
    assert schedules.Plateau("validation_f1", 0.5, 1).follow([0.1, 0.5, 0.9, 0.8]) == 0.5
    assert eval(repr(plateau), {"Plateau": schedules.Plateau}) == plateau
    X, y = problem()
    net = network()
    net.fit(X, y, epochs=4, schedule=plateau, progress=False)
    assert net.history.epochs == 4


WRONG = {
    "decay": (lambda: schedules.InverseTime(-1), "decay"),
    "interval": (lambda: schedules.Staircase(1, 0), "interval"),
    "rate": (lambda: schedules.Exponential(1.5), "at most 1"),
    "every": (lambda: schedules.Step(0), "every"),
    "factor": (lambda: schedules.Plateau(factor=1), r"\(0, 1\)"),
    "epochs": (lambda: schedules.Cosine(0), "epochs"),
    "per": (lambda: schedules.InverseSqrt(per="batch"), "'epoch' or 'step'"),
    "then": (lambda: schedules.WarmUp(3, then=0.1), "then must be an object"),
    "schedule": (lambda: network().fit(*problem(), schedule=0.5), "schedule must be an object"),
    "beta": (lambda: fastnn.Momentum(beta=1), "beta must lie"),
    "decay of weights": (lambda: fastnn.AdamW(weight_decay=-1), "weight_decay"),
    "patience": (lambda: callbacks.EarlyStopping(patience=0), "patience"),
    "seconds": (lambda: callbacks.TimeLimit(0), "seconds"),
    "metric": (lambda: network().fit(*problem(), metrics=["recal"]), "did you mean 'recall'"),
    "plateau": (
        lambda: network().fit(*problem(), schedule=schedules.Plateau(), progress=False),
        "Plateau monitors 'validation_cost'",
    ),
    "monitor": (
        lambda: network().fit(*problem(), callbacks=[callbacks.EarlyStopping()], progress=False),
        "monitors 'validation_cost', but the history holds cost, accuracy",
    ),
}


@pytest.mark.parametrize("watched", [
    {"callbacks": [callbacks.EarlyStopping()]},
    {"callbacks": [callbacks.EarlyStopping("validation_f1")], "validation_split": 0.5},
    {"callbacks": [callbacks.EarlyStopping("f1")], "metrics": ["f1"], "validation_split": 0.5},
    {"schedule": schedules.Plateau()},
])  # fmt: skip
def test_what_nobody_records_is_refused_before_the_first_step(watched):
    net = network()
    before = net.program.theta.copy()
    with pytest.raises(SettingError, match="but the history holds cost, accuracy"):
        net.fit(*problem(), progress=False, **watched)
    assert net.history.epochs == 0
    np.testing.assert_array_equal(net.program.theta, before)


def test_callbacks_of_the_users_own_may_record_what_others_monitor():
    def record(network, history):
        history.extend({"mine": [-history.epochs]})

    stop = callbacks.EarlyStopping("mine", patience=3)
    history = network().fit(*problem(), epochs=5, callbacks=[record, stop], progress=False)
    assert history.epochs == 5
    assert stop.best_epoch == 4


@pytest.mark.parametrize("case", WRONG)
def test_bad_input(case):
    make, words = WRONG[case]
    with pytest.raises(SettingError, match=words):
        make()


class TestCallbacks:
    def test_early_stopping_brings_the_best_weights_back(self):
        X, y = problem(30)
        net = Network.mlp([5, 50, 1], output="sigmoid", seed=1)
        best = []

        def watch(network, history):
            best.append((history["validation_cost"][-1], network.program.theta.copy()))

        stopping = callbacks.EarlyStopping(patience=5)
        history = net.fit(X, y, epochs=500, validation_split=0.5, progress=False,
                          optimizer=fastnn.Adam(0.05), callbacks=[watch, stopping])  # fmt: skip
        least = int(np.argmin([cost for cost, _ in best]))
        assert history.epochs == least + 6
        assert stopping.best_epoch == least
        np.testing.assert_array_equal(net.program.theta, best[least][1])

    def test_restores_when_the_epochs_end_first(self):
        X, y = problem(30)
        net = Network.mlp([5, 50, 1], output="sigmoid", seed=1)
        stopping = callbacks.EarlyStopping(patience=10**6)
        net.fit(X, y, epochs=200, validation_split=0.5, progress=False,
                optimizer=fastnn.Adam(0.05), callbacks=[stopping])  # fmt: skip
        scored = net.history["validation_cost"]
        assert stopping.best_epoch == np.argmin(scored) < 199

    @pytest.mark.parametrize("metric", ["f1", "roc_auc", "precision", "recall"])
    def test_of_metrics_that_rise_the_largest_is_best(self, metric):
        X, y = problem(60)
        net = Network.mlp([5, 50, 1], output="sigmoid", seed=1)
        stopping = callbacks.EarlyStopping(f"validation_{metric}", patience=10**6)
        history = net.fit(X, y, epochs=60, validation_split=0.5, metrics=[metric], progress=False,
                          optimizer=fastnn.Adam(0.05), callbacks=[stopping])  # fmt: skip
        curve = history[f"validation_{metric}"]
        assert curve[0] < curve.max()
        assert stopping.best_epoch == np.argmax(curve)

    def test_csv_logger(self, tmp_path):
        X, y = problem()
        path = tmp_path / "log.csv"
        for _ in range(2):
            history = network().fit(X, y, epochs=3, progress=False,
                                    callbacks=[callbacks.CSVLogger(path)])  # fmt: skip
        lines = path.read_text().splitlines()
        assert lines[0] == "epoch,cost,accuracy,learning_rate"
        assert len(lines) == 4
        assert float(lines[-1].split(",")[1]) == history["cost"][-1]

    def test_csv_logger_goes_on_with_a_second_fit(self, tmp_path):
        """A quantity that only one of the fits has leaves empty cells, not another table."""
        X, y = problem()
        net, logger = network(), callbacks.CSVLogger(tmp_path / "log.csv")
        net.fit(X, y, epochs=2, progress=False, callbacks=[logger])
        net.fit(X, y, epochs=2, progress=False, callbacks=[logger], validation_split=0.3)
        lines = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
        validated = "validation_cost,validation_accuracy"
        assert ",".join(lines[0]) == f"epoch,cost,accuracy,learning_rate,{validated}"
        assert [line[0] for line in lines[1:]] == ["0", "1", "2", "3"]
        assert [float(line[1]) for line in lines[1:]] == list(net.history["cost"])
        assert [line[4] == "" for line in lines[1:]] == [True, True, False, False]

    @pytest.mark.parametrize("text", ["name,age\nAnn,7\n", "epoch,cost\nfirst,1.0\n", "\xff\n"])
    def test_csv_logger_leaves_another_file_alone(self, tmp_path, text):
        X, y = problem()
        net, path = network(), tmp_path / "log.csv"
        net.fit(X, y, epochs=1, progress=False)
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(DataFileError, match="is no log of its own"):
            net.fit(X, y, epochs=1, progress=False, callbacks=[callbacks.CSVLogger(path)])
        assert path.read_bytes() == text.encode("latin-1")
        assert net.history.epochs == 1

    def test_time_limit(self):
        X, y = problem()
        limit = callbacks.TimeLimit(0.05)
        history = network().fit(X, y, epochs=10**7, callbacks=[limit], progress=False)
        assert 0 < history.epochs < 10**7

    def test_metrics_are_recorded_and_evaluated(self):
        X, y = problem()
        net = network()
        history = net.fit(X, y, epochs=2, validation_split=0.3, metrics=["f1", "roc_auc"],
                          progress=False)  # fmt: skip
        assert history["validation_f1"].shape == history["validation_roc_auc"].shape == (2,)
        assert {"cost", "accuracy", "f1", "roc_auc"} == set(net.evaluate(X, y))


def test_log_in_a_folder_that_is_missing_is_refused_before_the_first_step(tmp_path):
    net = network()
    with pytest.raises(FileNotFoundError, match="there is no"):
        net.fit(*problem(), progress=False, callbacks=[callbacks.CSVLogger(tmp_path / "a/log.csv")])
    assert net.history.epochs == 0


@pytest.mark.parametrize("kind", optimizers.KINDS.values(), ids=lambda kind: kind.__name__)
def test_every_setting_of_an_optimizer_has_its_check(kind):
    for setting in dataclasses.fields(kind):
        assert setting.name in CHECKS
        with pytest.raises(SettingError, match=setting.name):
            kind(**{setting.name: "0.1"})


def test_every_method_of_the_kernels_is_that_of_an_optimizer():
    made = [kind() for kind in optimizers.KINDS.values()]
    assert {optimizer.settings["method"] for optimizer in made} == set(Method)


def test_an_array_without_dimensions_is_a_number():
    optimizer = fastnn.Momentum(np.array(0.5, np.float32), beta=np.array(0.25))
    assert optimizer == fastnn.Momentum(0.5, beta=0.25)
    assert fastnn.Dense(np.array(3)).units == 3
    for wrong in (np.array([0.5]), np.array(True), np.array("a"), np.array(1j)):
        with pytest.raises(SettingError, match="learning_rate must be a finite number"):
            fastnn.Momentum(wrong)
