"""What a hostile caller may do to a network: one clear error or the right result, never a crash."""

import os
import pickle
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest
from fastnn.kernels.opcodes import Activation, Loss, Method
from fastnn.kernels.records import Batch, StepNumbers

import fastnn
from fastnn import Dense, Network, Normalization, kernels
from fastnn.errors import DataError, FastnnError, SettingError
from fastnn.network.description import state_of

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 20))
y = (X[:, 0] > 0).astype(int)


def network(**settings):
    return Network.mlp([20, 30, 1], output="sigmoid", **settings)


class TestOneFitAtATime:
    @pytest.mark.parametrize("what", ["fit", "reset"])
    def test_from_a_callback(self, what):
        net, seen = network(), []

        def callback(n, history):
            with pytest.raises(SettingError, match=r"being fitted already.*net.copy\(\)"):
                n.fit(X, y, optimizer=fastnn.GradientDescent()) if what == "fit" else n.reset()
            seen.append(history.epochs)

        net.fit(X, y, epochs=2, callbacks=[callback], progress=False)
        assert seen == [1, 2]
        net.fit(X, y, epochs=1, progress=False)

    def test_from_two_threads(self):
        net, errors = network(), []

        def fit(optimizer):
            try:
                net.fit(X, y, epochs=300, optimizer=optimizer, progress=False)
            except SettingError as error:
                errors.append(error)

        threads = [threading.Thread(target=fit, args=(o,)) for o in
                   [fastnn.Adam(), fastnn.GradientDescent()] * 3]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert np.isfinite(net.program.theta).all()
        assert net.history.epochs == 300 * (6 - len(errors))


def test_read_only_pickles_become_owned_and_aligned():
    net = network()
    net.fit(X, y, epochs=1, progress=False)
    buffers = []
    data = pickle.dumps(net, protocol=5, buffer_callback=buffers.append)
    frozen = [pickle.PickleBuffer(bytes(b.raw())) for b in buffers]
    other = pickle.loads(data, buffers=frozen)
    for vector in (
        other.program.theta,
        other.program.state,
        state_of(other).training.slots.reshape(-1),
    ):
        assert vector.flags.writeable
        assert vector.size == 0 or vector.__array_interface__["data"][0] % 64 == 0
    for each in (net, other, other.copy()):
        each.fit(X, y, epochs=2, progress=False)
    np.testing.assert_array_equal(other.program.theta, net.program.theta)


CALLS = {
    "dot": lambda k, r: k.dot(r(5), r(9)),
    "dense inputs": lambda k, r: k.dense_forward(r(4, 2), r(9, 3), r(3), r(4, 3)),
    "dense out": lambda k, r: k.dense_forward(r(4, 2), r(2, 3), r(3), r(9, 3)),
    "dense bias": lambda k, r: k.dense_forward(r(4, 2), r(2, 3), r(1), r(4, 3)),
    "dense dtype": lambda k, r: k.dense_forward(r(4, 2, dtype="float32"), r(2, 3), r(3), r(4, 3)),
    "backward": lambda k, r: k.dense_backward(r(4, 2), r(2, 3), r(5, 3), None, r(2, 3), r(3)),
    "activation": lambda k, r: k.activations[Activation.TANH].forward(r(4, 2), r(4, 3)),
    "derivative": lambda k, r: k.activations[Activation.GELU].backward(
        r(4, 2), r(4, 2), r(9, 2), r(4, 2)
    ),
    "targets": lambda k, r: k.losses[Loss.BINARY_CROSS_ENTROPY].cost(
        r(5, 1), r(2, 1), r(5), 0.0, r(5, 1)
    ),
    "weights": lambda k, r: k.losses[Loss.SQUARED_ERROR].cost(r(5, 1), r(5, 1), r(3), 0.0, r(5, 1)),
    "hits": lambda k, r: k.losses[Loss.CATEGORICAL_CROSS_ENTROPY].hits(r(5, 2), r(5, 3), r(5)),
    "slots": lambda k, r: k.methods[Method.ADAM](r(5), r(5), r(2, 2), StepNumbers(1, 0.1)),
    "rows": lambda k, r: k.dropout(r(5, 2), np.arange(3), 0.1, 0, 0, 0, r(5, 2)),
    "moments": lambda k, r: k.batch_moments(r(5, 2), r(3), r(3)),
}


class TestDoors:
    """Compiled code looks at no bound: its doors do."""

    def r(*shape, dtype="float64"):
        return np.ones(shape, dtype)

    @pytest.mark.parametrize("case", CALLS)
    def test_refuse(self, case):
        with pytest.raises(ValueError, match=r"shape|rows"):
            CALLS[case](kernels.get("jitted"), TestDoors.r)

    def test_programs_refuse(self):
        net = network()
        program, k = net.program, kernels.get("jitted")
        Y, w = np.ones((60, 1), "f"), np.ones(60, "f")
        settings = program.settings(batch_size=10)
        arguments = (program.ops, program.theta, program.grad, program.state, None)
        k.gradient(*arguments, Batch.of((X, Y, w), np.arange(60)), settings, -1)
        rows = np.arange(60)
        for bad in ((Y[:9], w, rows, rows), (Y, w[:9], rows, rows),
                    (Y, w, np.arange(61), np.arange(61)), (Y.astype("d"), w, rows, rows),
                    (Y, w, rows, rows[:9])):  # fmt: skip
            with pytest.raises(ValueError, match=r"fit|rows|must"):
                k.gradient(*arguments, Batch(X, *bad), settings, -1)


def test_threads_may_change_while_a_fit_begins(monkeypatch):
    answers = iter([1] + [8] * 100)
    monkeypatch.setattr("fastnn.training.loop.get_num_threads", lambda: next(answers))
    monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
    network().fit(X, y, epochs=2, batch_size=None, progress=False)


def test_a_team_is_released_when_its_caller_fails(monkeypatch):
    from fastnn.kernels.jitted.threads import team

    class Broken(threading.Thread):
        def start(self):
            super().start()
            raise KeyError("from a signal's handler")

    monkeypatch.setattr(team.threading, "Thread", Broken)
    monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
    before, running = fastnn.get_num_threads(), threading.active_count()
    fastnn.set_num_threads(2)
    try:
        with pytest.raises(KeyError, match="handler"):
            network().fit(X, y, epochs=2, progress=False)
    finally:
        fastnn.set_num_threads(before)
    assert threading.active_count() == running


@pytest.mark.medium
@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_works_where_nothing_can_be_written(tmp_path):
    """Neither the sources' folder nor the cache: Numba's own search must not be asked."""
    code = (
        "import warnings, numba.core.caching as c\n"
        "def refuse(*a, **k): raise AssertionError('searched')\n"
        "c.CacheImpl.__init__ = refuse\n"
        "import fastnn\n"
        "with warnings.catch_warnings(record=True) as w:\n"
        "    warnings.simplefilter('always')\n"
        "    print(fastnn.kernels.get('jitted').dot(*[__import__('numpy').ones(3)] * 2), len(w))"
    )
    blocked = tmp_path / "file"
    blocked.write_text("")
    result = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True,
        env=os.environ | {"FASTNN_CACHE_DIR": str(blocked), "FASTNN_KERNELS": "jit"},
        check=False, timeout=300,
    )  # fmt: skip
    assert result.stdout.split() == ["3.0", "1"], result.stderr


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint16", "int32", "int64", "float16", "longdouble", ">f4", ">f8", "uint8"],
)
def test_every_dtype_is_read_like_float64(dtype):
    whole = rng.integers(0, 2, (50, 20))
    net = network(dtype="float64")
    labels = whole[:, 0]
    net.fit(whole.astype(dtype), labels, epochs=2, progress=False)
    other = network(dtype="float64")
    other.fit(whole.astype("float64"), labels, epochs=2, progress=False)
    np.testing.assert_allclose(net.program.theta, other.program.theta, rtol=1e-12)


@pytest.mark.parametrize("wish", [True, np.True_])
def test_callbacks_stop_with_any_true(wish):
    assert network().fit(X, y, epochs=9, callbacks=[lambda n, h: wish], progress=False).epochs == 1


WRONG = {
    "tiny weights": ({"sample_weight": np.full(60, 1e-50)}, "weight that counts"),
    "huge weights": ({"sample_weight": np.full(60, 1e300)}, "too large for float32"),
    "one weight": (
        {"sample_weight": np.eye(60)[7], "validation_split": 0.5}, "validation_split leaves",
    ),
    "pair": ({"validation_data": (X,)}, "pair"),
    "callback": ({"callbacks": [3]}, "functions of"),
    "callbacks": ({"callbacks": lambda n, h: None}, "must be a list"),
    "class weights": ({"class_weight": np.array([1, 2])}, "dict"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_fit_refuses(case):
    settings, words = WRONG[case]
    net = Network([Dense(3), Dense(1, "sigmoid")])
    with pytest.raises(FastnnError, match=words):
        net.fit(X, y, progress=False, **settings)
    assert net.inputs is None


def test_class_weight_takes_float_labels():
    one, two = network(), network()
    one.fit(X, y, epochs=1, class_weight={0.0: 1, 1.0: 3}, progress=False)
    two.fit(X, y, epochs=1, class_weight={0: 1, 1: 3}, progress=False)
    np.testing.assert_array_equal(one.program.theta, two.program.theta)


DESCRIPTIONS = {
    "bias": lambda: Dense(3, use_bias=0),
    "name": lambda: Dense(3, name=5),
    "per feature": lambda: Normalization(0),
    "layers": lambda: Network(Dense(3)),
    "sizes": lambda: Network.mlp(None, output="tanh"),
    "hidden": lambda: Network.mlp([2, 3, 1], hidden=3, output="tanh"),
    "units": lambda: Dense(2**62),
}


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_descriptions_refuse(case):
    with pytest.raises(SettingError):
        DESCRIPTIONS[case]()


class TestNumbers:
    def test_too_large_for_float32(self):
        net = network()
        for use in (net.predict, lambda X: net.fit(X, y, progress=False)):
            with pytest.raises(DataError, match="too large for float32"):
                use(X * 1e300)
        with pytest.raises(DataError, match="b1"):
            net.parameters["b1"] = np.full(30, 1e300)
        assert np.isfinite(net.program.theta).all()

    def test_ragged_and_masked(self):
        with pytest.raises(DataError, match="different lengths"):
            network().predict([[1, 2], [3]])
        with pytest.raises(DataError, match="masked"):
            network().predict(np.ma.masked_greater(X, 1))

    def test_settings_of_any_number_type(self):
        optimizer = fastnn.Adam(Fraction(1, 100))
        assert type(optimizer.learning_rate) is float
        network().fit(X, y, epochs=1, optimizer=optimizer, progress=False)

    def test_sigmoid_outputs_are_labels_with_any_loss(self):
        net = Network([Dense(1, "sigmoid")], loss="squared_error")
        net.fit(X, y, epochs=1, progress=False)
        assert set(np.unique(net.predict(X))) <= {0, 1}

    def test_histories_compare(self):
        one, two = (network().fit(X, y, epochs=2, progress=False) for _ in range(2))
        assert one == two
        assert one != network().fit(X, y, epochs=3, progress=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_save_does_not_replace_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no ordinary file"):
        network().save(tmp_path / "pipe")
    assert not (tmp_path / "pipe").is_file()
