"""Ensembles: the mean of single predictions, bit for bit, and one file for all networks."""

import json

import numpy as np
import pytest

import fastnn
from fastnn import BatchNorm, Dense, Ensemble, Network, Normalization, errors, metrics
from fastnn.saving import ensemble_file

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS = (X[:, 0] > 0).astype(int)
CLASSES = LABELS + (X[:, 1] > 0.5)


def members(output, units, n=3, y=LABELS, **settings):
    """Return trained networks of several widths and seeds."""
    nets = [
        Network([Normalization(), Dense(3 + k), BatchNorm(), Dense(units, output)], seed=k)
        for k in range(n)
    ]
    fastnn.fit_many(nets, X, y, epochs=3, progress=False, **settings)
    return nets


KINDS = {
    "sigmoid": ("sigmoid", 1, LABELS),
    "sigmoids": ("sigmoid", 2, np.stack([LABELS, X[:, 1] > 0], axis=1)),
    "softmax": ("softmax", 3, CLASSES),
    "value": ("identity", 1, X[:, 0] * 2),
    "values": ("identity", 2, X[:, :2]),
}


@pytest.fixture(params=KINDS)
def kind(request):
    output, units, y = KINDS[request.param]
    return members(output, units, y=y), y


class TestPredictions:
    def test_are_means_in_order(self, kind):
        nets, _ = kind
        ensemble = Ensemble(nets)
        output = nets[0].layers[-1].activation
        for rows in (X, X[:1], X[:1].tolist(), X.astype(np.float32)):
            if output == "identity":
                expected = sum(net.predict(rows) for net in nets) / np.float32(3)
                np.testing.assert_array_equal(ensemble.predict(rows), expected)
                continue
            p = sum(net.predict_proba(rows) for net in nets) / np.float32(3)
            np.testing.assert_array_equal(ensemble.predict_proba(rows), p)
            assert p.dtype == np.float32
            labels = p.argmax(axis=1) if output == "softmax" else p > 0.5
            if nets[0].outputs == 1:
                labels = p[:, 1] > 0.5
            found = ensemble.predict(rows)
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, labels)

    def test_of_float64_among_float32_are_float64(self):
        nets = [Network.mlp([4, 1], output="identity", dtype=d) for d in ("float32", "float64")]
        assert Ensemble(nets).predict(X).dtype == np.float64

    def test_threshold(self):
        ensemble = Ensemble(members("sigmoid", 1))
        p = ensemble.predict_proba(X)[:, 1]
        np.testing.assert_array_equal(ensemble.predict(X, threshold=0.7), p > np.float32(0.7))
        with pytest.raises(errors.SettingError, match="threshold must lie in"):
            ensemble.predict(X, threshold=2)


class TestEvaluate:
    def test_of_one_network_is_that_networks(self, kind, backend):
        nets, y = kind
        alone, found = nets[0].evaluate(X, y), Ensemble(nets[:1]).evaluate(X, y)
        assert found == pytest.approx(alone, rel=1e-5)
        assert list(found) == list(alone)

    def test_cost_of_probabilities_is_that_of_their_mean(self):
        nets = members("softmax", 3, y=CLASSES)
        p = Ensemble(nets).predict_proba(X).astype(np.float64)
        found = Ensemble(nets).evaluate(X, CLASSES, metrics=["f1"])
        assert found["cost"] == pytest.approx(-np.log(p[np.arange(60), CLASSES]).mean(), rel=1e-5)
        assert found["accuracy"] == (p.argmax(axis=1) == CLASSES).mean()
        assert found["f1"] == metrics.f1(CLASSES, p.argmax(axis=1), average="macro")

    def test_cost_is_finite_where_probabilities_round_to_zero(self):
        nets = [Network.mlp([4, 1], output="sigmoid", seed=s) for s in range(2)]
        for net in nets:
            net.set_parameters({"W1": [[200.0]] * 4, "b1": [0.0]})
        z = (X * 200).sum(axis=1)
        expected = np.logaddexp(0, z).mean()  # of y = 0: −ln(1 − σ(z))
        found = Ensemble(nets).evaluate(X, np.zeros(60))
        assert found["cost"] == pytest.approx(expected, rel=1e-5)

    def test_of_squares_is_that_of_the_mean(self):
        nets = members("identity", 1, y=X[:, 0])
        ensemble = Ensemble(nets)
        expected = 0.5 * np.mean((ensemble.predict(X) - X[:, 0]) ** 2)
        assert ensemble.evaluate(X, X[:, 0])["cost"] == pytest.approx(expected, rel=1e-5)

    def test_needs_one_loss(self):
        nets = [
            Network.mlp([4, 1], output="identity", loss=loss)
            for loss in ("squared_error", "absolute_error")
        ]
        with pytest.raises(errors.SettingError, match="takes one loss"):
            Ensemble(nets).evaluate(X, X[:, 0])


class TestNetworks:
    def test_are_kept(self):
        nets = [Network.mlp([4, 2, 1], output="sigmoid", seed=s) for s in range(3)]
        ensemble = Ensemble(nets)
        assert list(ensemble) == nets
        assert len(ensemble) == 3
        assert ensemble[1] is nets[1]
        assert (ensemble.inputs, ensemble.outputs) == (4, 1)
        assert repr(ensemble).startswith("Ensemble of 3 networks, the first Network([Dense(2")

    @pytest.mark.parametrize(
        ("networks", "message"),
        [
            ([], "networks is empty"),
            ([Network([Dense(1)]), "net"], r"networks\[1\] must be an object like"),
            ([Network([Dense(1)]), Network([Dense(2)])], r"networks\[1\] has outputs 2, but"),
            ([Network([Dense(1)]), Network([Dense(1, "tanh")])], "has output 'tanh', but"),
            (
                [Network([Dense(1)], inputs=2), Network([Dense(1)], inputs=3)],
                "take 2 and 3 features",
            ),
        ],
    )
    def test_that_do_not_fit_together_are_refused(self, networks, message):
        with pytest.raises(errors.SettingError, match=message):
            Ensemble(networks)

    def test_must_be_built_to_predict(self):
        with pytest.raises(errors.NotBuiltError):
            Ensemble([Network([Dense(1)])]).predict(X)


class TestFiles:
    @pytest.mark.parametrize("name", ["all.safetensors", "all.h5"])
    def test_hold_all_networks(self, kind, tmp_path, name):
        nets, _ = kind
        path = tmp_path / name
        Ensemble(nets).save(path)
        found = fastnn.load(path)
        assert isinstance(found, Ensemble)
        for net, loaded in zip(nets, found, strict=True):
            np.testing.assert_array_equal(net.program.theta, loaded.program.theta)
            assert repr(net) == repr(loaded)
        np.testing.assert_array_equal(found.predict(X), Ensemble(nets).predict(X))

    def test_are_refused_where_one_network_is_wanted(self, tmp_path):
        from fastnn.network.loading import load_with_notes

        path = tmp_path / "all.safetensors"
        Ensemble(members("sigmoid", 1)).save(path)
        with pytest.raises(errors.ModelFileError, match=r"ensemble of networks; load it with"):
            load_with_notes(path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda header: header["__metadata__"].update(members="4"), "an ensemble of '4'"),
            (lambda header: header["__metadata__"].update(members="x"), "an ensemble of 'x'"),
            (
                lambda header: header["__metadata__"].pop("network.1"),
                "an ensemble of '3' networks, which cannot be",
            ),
            (
                lambda header: header.update({"9.W1": header.pop("0.W1")}),
                "'9.W1' belongs to none of its 3 networks",
            ),
            (
                lambda header: header.update({"1.W9": header.pop("1.W1")}),
                "its network has W1.* but it holds",
            ),
        ],
    )
    def test_that_are_forged_are_refused(self, tmp_path, change, message):
        path = tmp_path / "all.safetensors"
        Ensemble(members("sigmoid", 1)).save(path)
        raw = path.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        for name in ("checksum", "checksums"):
            del header["__metadata__"][name]
        header["__metadata__"]["format_version"] = "1"
        change(header)
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
        with pytest.raises(errors.ModelFileError, match=message):
            fastnn.load(path)

    @pytest.mark.parametrize("kind", ["none", "unlike"])
    def test_of_networks_that_make_no_ensemble_are_refused(self, tmp_path, kind):
        path = tmp_path / "all.safetensors"
        states = [Network([Dense(k + 1)], inputs=2)._state for k in range(2 * (kind == "unlike"))]
        ensemble_file.save(states, path)
        with pytest.raises(errors.ModelFileError, match=r"is not a usable model file: .*networks"):
            fastnn.load(path)

    def test_of_networks_that_are_not_built_are_refused(self, tmp_path):
        with pytest.raises(errors.NotBuiltError):
            Ensemble([Network([Dense(1)])]).save(tmp_path / "all.safetensors")
        assert not list(tmp_path.iterdir())
