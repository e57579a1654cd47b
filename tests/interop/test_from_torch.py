"""Models of PyTorch are taken over as they compute, or refused by name; PyTorch is the oracle."""

import inspect
import warnings

import numpy as np
import pytest

import fastnn
from fastnn import BatchNorm, Dense, Network, Normalization
from fastnn.errors import DataError, FastnnError, SettingError, ShapeError

pytestmark = pytest.mark.medium

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)
nn = torch.nn

X = np.random.default_rng(3).normal(size=(7, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def moved(model):
    """The model with BatchNorms whose every number is another one than at the start."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                if tensor is not None:
                    tensor.data.add_(0.5 * torch.rand_like(tensor))
    return model


def wanted(model, X=X):
    dtype = next((p.dtype for p in model.parameters()), torch.float32)
    training = model.training
    with torch.no_grad():
        found = model.eval()(torch.from_numpy(X).to(dtype)).double().numpy()
    model.train(training)
    return found


def assert_taken(net, expected, **tolerance):
    np.testing.assert_allclose(
        net.activations(X)[-1], expected, **({"rtol": 2e-5, "atol": 2e-6} | tolerance)
    )


class TestComputationIsFollowed:
    def test_an_activation_that_stands_twice(self):
        act = nn.ReLU()
        model = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 2))
        assert_taken(fastnn.from_torch(model), wanted(model))

    def test_a_linear_that_stands_twice(self):
        shared = nn.Linear(4, 4)
        model = nn.Sequential(shared, nn.Tanh(), shared, nn.Linear(4, 2), nn.Sigmoid())
        net = fastnn.from_torch(model)
        assert_taken(net, wanted(model))
        np.testing.assert_array_equal(net.parameters["W1"], net.parameters["W2"])

    def test_nested_blocks_that_stand_twice(self):
        block = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.SiLU())
        model = moved(nn.Sequential(block, nn.Sequential(block, nn.Dropout(0.1)), nn.Linear(4, 2)))
        assert_taken(fastnn.from_torch(model), wanted(model))

    def test_a_list_repeated_by_multiplication(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.ELU()) * 3
        assert_taken(fastnn.from_torch(model), wanted(model))

    @pytest.mark.parametrize("seed", range(12))
    def test_chains_of_any_modules_each_in_any_number_of_places(self, seed):
        """Of one width, so that a module that is left out or moved shows in the outputs alone."""
        rng = np.random.default_rng(seed)
        activations = [nn.ReLU(), nn.Tanh(), nn.GELU(), nn.SiLU(), nn.Softplus(), nn.Mish()]
        pool = [nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4), nn.Dropout(0.3)]
        pool += [nn.Identity(), nn.Flatten(), nn.Sequential(nn.Linear(4, 4), nn.ELU()), nn.SELU()]
        pool += [*activations, nn.Sequential()]
        parts = [pool[i] for i in rng.integers(0, len(pool), 14)]
        model = moved(nn.Sequential(pool[0], *parts[:7], nn.Sequential(*parts[7:]), *parts[:3]))
        assert_taken(fastnn.from_torch(model), wanted(model), rtol=1e-4, atol=1e-5)

    def test_subclasses_that_compute_what_their_base_does(self):
        class Thick(nn.Linear):
            pass

        class Net(nn.Sequential):
            pass

        model = Net(Thick(4, 3), nn.ReLU(), nn.Linear(3, 2))
        assert_taken(fastnn.from_torch(model), wanted(model))

    def test_a_forward_of_its_own_is_refused_by_name(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 2)

            def forward(self, x):
                return self.fc(x) + 1

        class Residual(nn.Sequential):
            def forward(self, x):
                return x + super().forward(x)

        class Linear(nn.Linear):
            def forward(self, x):
                return 2 * super().forward(x)

        patched = nn.Linear(4, 2)
        patched.forward = lambda x: x
        for model, name in (
            (Net(), "^Net has a forward"),
            (nn.Sequential(Residual(nn.Linear(4, 4))), "Residual '0' has a forward"),
            (nn.Sequential(nn.ReLU(), Linear(4, 4)), "Linear '1' has a forward"),
            (nn.Sequential(nn.Sequential(patched)), r"Linear '0\.0' has a forward"),
        ):
            with pytest.raises(SettingError, match=name):
                fastnn.from_torch(model)

    def test_what_is_no_chain_of_known_modules_is_refused_by_name(self):
        for model, name in (
            (nn.ModuleList([nn.Linear(4, 2)]), "ModuleList"),
            (nn.DataParallel(nn.Linear(4, 2)), "DataParallel"),
            (nn.Sequential(nn.LazyLinear(2)), "LazyLinear '0'"),
            (nn.Sequential(nn.Linear(4, 2), nn.LogSoftmax(1)), "LogSoftmax '1'"),
            (nn.Sequential(nn.Linear(4, 2), nn.AlphaDropout()), "AlphaDropout '1'"),
        ):
            with pytest.raises(SettingError, match=f"PyTorch layer {name}.*takes Sequential"):
                fastnn.from_torch(model)

    def test_another_librarys_linear_is_told_from_pytorchs(self):
        class Linear(nn.Module):
            """As adapters and quantised layers are called, with the same attributes."""

            def __init__(self):
                super().__init__()
                self.weight, self.bias = nn.Parameter(torch.ones(2, 4)), None

            def forward(self, x):
                return x @ self.weight.T * 2

        with pytest.raises(SettingError, match="Linear '0' has a forward of its own"):
            fastnn.from_torch(nn.Sequential(Linear()))

    def test_taking_leaves_the_model_and_the_generator_as_they_were(self):
        model = moved(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))).train()
        before = {k: v.clone() for k, v in model.state_dict().items()}
        state = torch.get_rng_state()
        fastnn.from_torch(model).parameters["W1"][...] = 0
        assert model.training
        assert torch.equal(torch.get_rng_state(), state)
        for key, value in model.state_dict().items():
            assert torch.equal(value, before[key]), key


#: For every parameter of a constructor: other values than its default.
OTHERS = {
    "bias": [False],
    "eps": [0.5, 1e-12, 0.0],
    "momentum": [None, 0.5, 1.0, 0.0],
    "affine": [False],
    "track_running_stats": [False],
    "p": [0.0, 0.25, 1.0],
    "start_dim": [0],
    "end_dim": [1, 0],
    "negative_slope": [0.0, 0.2, -0.01, float("nan")],
    "dim": [0, 1, -1],
    "alpha": [0.3, 2.0],
    "approximate": ["tanh"],
    "beta": [2.0, -1.0],
    "threshold": [1, 19.0],
    "inplace": [True],
    "dtype": [torch.float64, torch.bfloat16],
    "device": ["cpu"],
}
SIZES = {"Linear": (4, 3), "BatchNorm1d": (4,)}


def variants():
    """Each layer that is taken, with each of its settings at other values, one at a time."""
    from fastnn.interop.torch_models import LAYERS

    for kind in LAYERS:
        if not hasattr(nn, kind):
            continue  # a module of ours
        maker = getattr(nn, kind)
        sizes = SIZES.get(kind, ())
        yield pytest.param(maker, sizes, {}, id=kind)
        for name, parameter in list(inspect.signature(maker).parameters.items())[len(sizes) :]:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            for value in OTHERS[name]:
                yield pytest.param(maker, sizes, {name: value}, id=f"{kind}-{name}={value}")


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize(("maker", "sizes", "settings"), list(variants()))
def test_every_setting_is_honoured_or_refused_by_name(maker, sizes, settings):
    layer = moved(nn.Sequential(nn.Linear(4, 4), maker(*sizes, **settings)))
    dtype = settings.get("dtype", torch.float32)
    layer.to(dtype)
    try:
        net = fastnn.from_torch(layer)
    except FastnnError as error:
        told = str(error)
    else:
        if settings.get("momentum", 0) is None:  # a mean of all batches
            assert net.layers[1] == BatchNorm(0.9, 1e-5)
        tolerance = {"rtol": 0.03, "atol": 0.03} if dtype == torch.bfloat16 else {}
        assert_taken(net, wanted(layer), **tolerance)
        return
    name = next(iter(settings))
    assert maker.__name__ in told
    assert f"{name}=" in told
    assert name not in ("bias", "affine", "inplace", "dtype", "device")


@pytest.mark.filterwarnings("ignore")  # PyTorch's, of layers that are about to go
def test_every_module_is_taken_right_or_refused_by_name():
    """Those that take rows and need no argument, or a width; what is not listed is refused."""
    taken = set()
    for name in sorted(dir(nn)):
        maker = getattr(nn, name)
        for sizes in ((), (4,), (4, 4)):
            try:
                model = nn.Sequential(nn.Linear(4, 4), maker(*sizes))
                expected = wanted(model)
            except Exception:
                continue  # it needs other arguments, or other inputs
            try:
                net = fastnn.from_torch(model)
            except SettingError as error:
                told = str(error)
            else:
                assert_taken(net, expected)
                taken.add(name)
                continue
            assert f"{type(model[1]).__name__} '1'" in told  # a lazy one has become another
    assert len(taken) > 10


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m.register_forward_hook(lambda *a: None), "Sequential has hooks"),
        (lambda m: m[0].register_forward_pre_hook(lambda *a: None), "Linear '0' has hooks"),
        (lambda m: nn.utils.spectral_norm(m[0]), "Linear '0' has hooks.*SpectralNorm"),
        (lambda m: nn.utils.parametrizations.weight_norm(m[0]), "'0'.*parametrizations"),
        (lambda m: nn.utils.parametrizations.orthogonal(m[0]), "'0'.*parametrizations"),
        (lambda m: setattr(m[1], "negative_slope", 0.02), "LeakyReLU '1' has negative_slope"),
        (lambda m: setattr(m[0], "bias", None), None),
    ],
)
def test_what_is_put_onto_a_layer_is_honoured_or_refused_by_name(change, told):
    model = nn.Sequential(nn.Linear(4, 3), nn.LeakyReLU())
    change(model)
    if told is None:
        assert_taken(fastnn.from_torch(model), wanted(model))
    else:
        with pytest.raises(SettingError, match=told):
            fastnn.from_torch(model)


def test_pruned_weights_are_taken_once_they_are_merged():
    from torch.nn.utils import prune

    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    prune.random_unstructured(model[0], "weight", amount=0.5)
    with pytest.raises(SettingError, match=r"RandomUnstructured.*prune\.remove"):
        fastnn.from_torch(model)
    prune.remove(model[0], "weight")
    assert_taken(fastnn.from_torch(model), wanted(model))


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Softmax(1)])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_an_output_is_put_on_logits_only(last, output):
    model = nn.Sequential(nn.Linear(4, 3))
    net = fastnn.from_torch(model, output=output)
    Z = torch.from_numpy(wanted(model))
    assert_taken(net, (Z.sigmoid() if output == "sigmoid" else Z.softmax(1)).numpy())
    for ends in (nn.Sequential(*model, last), nn.Sequential(*model, last, nn.Identity())):
        with pytest.raises(SettingError, match=r"ends with s.*leave output off"):
            fastnn.from_torch(ends, output=output)


class TestNumbers:
    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
    def test_other_widths_are_taken(self, name):
        model = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).to(getattr(torch, name))
        expected = {k: v.double().numpy() for k, v in model.state_dict().items()}
        for net in (fastnn.from_torch(model), fastnn.from_torch(model.state_dict(), order=["0"])):
            assert net.dtype == ("float64" if name == "float64" else "float32")
            np.testing.assert_array_equal(net.parameters["W1"], expected["0.weight"].T)

    def test_what_is_no_real_number_is_refused_by_name(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.ao's are about to move
            quantised = torch.quantize_per_tensor(torch.ones(3, 4), 0.1, 0, torch.qint8)
        for weight, told in (
            (torch.ones(3, 4, dtype=torch.complex64), "complex64"),
            (torch.ones(3, 4, dtype=torch.int8), "int8"),
            (quantised, "qint8"),
            (torch.ones(3, 4, device="meta"), "no values.*meta"),
            (torch.full((3, 4), torch.nan), "finite"),
            (nn.parameter.UninitializedParameter(), "cannot be read as plain numbers"),
            (np.ones((3, 4), complex), "complex128"),
            (np.ones((3, 4), np.int8), "int8.*dequantise"),
        ):
            with pytest.raises(DataError, match=f"the weights of 'fc'.*{told}"):
                fastnn.from_torch({"fc.weight": weight})
        for model, told in (
            (nn.Linear(4, 3, dtype=torch.complex64), "complex64"),
            (nn.Linear(4, 3, device="meta"), "meta"),
        ):
            with pytest.raises(DataError, match=f"the weights of Linear '0'.*{told}"):
                fastnn.from_torch(nn.Sequential(model))

    def test_averages_that_cannot_be_are_refused_by_name(self):
        state = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).state_dict()
        for change, error, told in (
            ({"1.running_var": -torch.ones(4)}, DataError, "variance of '1'.*negative, got -1"),
            ({"1.running_var": torch.ones(1)}, ShapeError, "variance of '1' must have shape"),
            ({"1.running_var": None}, SettingError, "'1' lacks a running mean or variance"),
        ):
            with pytest.raises(error, match=told):
                fastnn.from_torch({**state, **change})

    def test_sparse_tensors_are_taken(self):
        W = torch.eye(3, 4) * 2
        for weight in (W.to_sparse(), W):
            net = fastnn.from_torch({"weight": weight})
            np.testing.assert_array_equal(net.parameters["W1"], W.numpy().T)

    def test_views_that_negate_are_resolved(self):
        flipped = torch.imag(torch.conj(torch.complex(torch.ones(3, 4), torch.ones(3, 4))))
        assert flipped.is_neg()
        net = fastnn.from_torch({"weight": flipped})
        np.testing.assert_array_equal(net.parameters["W1"], -np.ones((4, 3)))


class TestStateDict:
    def deep(self, layers=12, width=4):
        """Linear layers of one width with tanh between them, so that every order would fit."""
        modules = []
        for _ in range(layers):
            modules += [nn.Linear(width, width), nn.Tanh()]
        return nn.Sequential(*modules[:-1])

    @pytest.mark.parametrize("sort", [sorted, lambda keys: sorted(keys, reverse=True), list])
    def test_numbered_names_go_by_their_numbers(self, sort):
        model = self.deep()
        state = model.state_dict()
        net = fastnn.from_torch({key: state[key] for key in sort(state)}, hidden="tanh")
        assert_taken(net, wanted(model))

    @pytest.mark.parametrize(
        "form", ["fc{}", "layers.{}.linear", "net.{}", "module.{}", "_orig_mod.block{}.fc1"]
    )
    def test_numbers_are_found_wherever_they_stand(self, form):
        model = self.deep()
        state = {
            f"{form.format(int(key.split('.')[0]) // 2)}.{key.split('.')[1]}": value
            for key, value in model.state_dict().items()
        }
        state = {key: state[key] for key in sorted(state)}
        assert_taken(fastnn.from_torch(state, hidden="tanh"), wanted(model))

    def test_names_without_numbers_need_the_callers_word(self):
        model = self.deep(3)
        names = {"0": "start", "2": "body", "4": "out"}
        state = {
            f"{names[key.split('.')[0]]}.{key.split('.')[1]}": value
            for key, value in model.state_dict().items()
        }
        with pytest.raises(SettingError, match=r"'body'.*'out'.*give order=\['start', 'body'"):
            fastnn.from_torch(state, hidden="tanh")
        for order in (["start", "body", "out"], ("start", "body", "out")):
            net = fastnn.from_torch(state, hidden="tanh", order=order)
            assert_taken(net, wanted(model))

    def test_a_layer_may_be_named_as_often_as_it_is_used(self):
        shared = nn.Linear(4, 4)
        model = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(4, 2))
        state = {f"a.{k}": v for k, v in shared.state_dict().items()}
        state |= {f"b.{k}": v for k, v in model[4].state_dict().items()}
        net = fastnn.from_torch(state, hidden="tanh", order=["a", "a", "b"])
        assert_taken(net, wanted(model))

    def test_an_order_that_names_other_layers_is_refused(self):
        state = self.deep(3).state_dict()
        for order in (["0", "2"], ["0", "2", "4", "6"], ["0", "2", 4], [["0"]], []):
            with pytest.raises(SettingError, match="order must name each layer"):
                fastnn.from_torch(state, hidden="tanh", order=order)
        with pytest.raises(SettingError, match="order must be a list"):
            fastnn.from_torch(state, hidden="tanh", order="024")
        with pytest.raises(SettingError, match="order is for a state_dict"):
            fastnn.from_torch(self.deep(3), order=["0", "2", "4"])

    @pytest.mark.parametrize("names", [("fc1", "bn1"), ("0", "0.norm"), ("1", "01"), ("a", "b1")])
    def test_names_that_do_not_tell_are_refused(self, names):
        state = {f"{name}.weight": torch.ones(4, 4) for name in names}
        with pytest.raises(
            SettingError, match=r"(which layer comes first;|within it.*) give order="
        ):
            fastnn.from_torch(state, hidden="relu")

    def test_widths_that_do_not_follow_are_named(self):
        state = {"1.weight": torch.ones(5, 4), "0.weight": torch.ones(3, 2)}
        with pytest.raises(ShapeError, match=r"Linear '1' takes 4 inputs.*gives 3.*order"):
            fastnn.from_torch(state, hidden="relu")
        with pytest.raises(ShapeError, match=r"biases of Linear '0' must have shape \(3,\)"):
            fastnn.from_torch({"0.weight": torch.ones(3, 2), "0.bias": torch.ones(1)})

    @pytest.mark.parametrize("settings", [{}, {"bias": False}, {"affine": False}])
    @pytest.mark.parametrize("place", ["first", "inside", "last"])
    def test_batch_norm_of_each_kind_at_each_place(self, settings, place):
        if "bias" in settings and "bias" not in inspect.signature(nn.BatchNorm1d).parameters:
            pytest.skip("this version of PyTorch has no BatchNorm1d(bias=False)")
        norm = nn.BatchNorm1d(4, **settings)
        parts = [nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)]
        parts.insert({"first": 0, "inside": 1, "last": 3}[place], norm)
        model = moved(nn.Sequential(*parts))
        assert_taken(fastnn.from_torch(model.state_dict(), hidden="relu"), wanted(model))

    @pytest.mark.parametrize(
        "parts",
        [
            (nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2)),
            (nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)),
            (nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2), nn.Tanh(), nn.BatchNorm1d(2)),
        ],
    )
    def test_a_module_that_may_stand_beside_a_batch_norm_is_not_guessed(self, parts):
        state = nn.Sequential(*parts).state_dict()
        with pytest.raises(SettingError, match=r"another module may stand between '[02]' and"):
            fastnn.from_torch(state, hidden="relu")

    def test_dropout_beside_a_batch_norm_is_the_callers_word(self):
        model = moved(
            nn.Sequential(
                nn.Linear(4, 4), nn.Dropout(), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)
            )
        )
        net = fastnn.from_torch(model.state_dict(), hidden="relu", order=["0", "2", "4"])
        assert_taken(net, wanted(model))

    @pytest.mark.parametrize(
        ("state", "told"),
        [
            ({"0.weight": torch.ones(4)}, r"'0'.*shape \(4,\) and no running averages"),
            ({"0.weight": torch.ones(4, 2, 3)}, r"'0'.*shape \(4, 2, 3\)"),
            ({"0.bias": torch.ones(4)}, r"'0'.*has bias but no weight"),
            ({"0.weight_g": torch.ones(4, 1)}, r"entry '0\.weight_g'"),
            ({"0.lora_A": torch.ones(4, 1)}, r"entry '0\.lora_A'"),
            ({"model": {}, "epoch": 3}, "entry 'model'.*checkpoint"),
            ({0: torch.ones(4, 1)}, "entry 0"),
            ({}, "no layer with weights"),
            ({"0.running_mean": torch.ones(4), "0.running_var": torch.ones(4)}, "no layer with"),
        ],
    )
    def test_entries_of_other_layers_are_named(self, state, told):
        with pytest.raises(SettingError, match=told):
            fastnn.from_torch(state)


class TestToTorch:
    NETWORKS = (
        Network([Normalization(), Dense(5, "relu"), Dense(2, "softmax")]),
        Network([Dense(5), BatchNorm(), fastnn.Dropout(0.5), Dense(1, "sigmoid")]),
    )

    @pytest.mark.parametrize("net", NETWORKS)
    @pytest.mark.parametrize("default", [torch.float32, torch.float64])
    def test_the_generator_stays_and_defaults_do_not_matter(self, net, default):
        net = net.copy()
        y = np.arange(7) % 2
        net.fit(X, y, epochs=1, progress=False)
        state, dtype = torch.get_rng_state(), torch.get_default_dtype()
        torch.set_default_dtype(default)
        try:
            model = net.to_torch()
        finally:
            torch.set_default_dtype(dtype)
        assert torch.equal(torch.get_rng_state(), state)
        assert {t.dtype for t in model.state_dict().values()} <= {torch.float32, torch.int64}
        assert all(t.device.type == "cpu" for t in model.state_dict().values())
        np.testing.assert_allclose(
            model(torch.from_numpy(X)).detach().numpy(), net.activations(X)[-1], rtol=2e-5
        )

    @pytest.mark.parametrize("per_feature", [True, False])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_large_mean_does_not_cancel_there_and_back(self, per_feature, dtype):
        """Seconds since 1970, which float32 rounds to steps of 128."""
        times = 1.7e9 + 20 * X.astype(np.float64)
        net = Network([Normalization(per_feature), Dense(3, "tanh"), Dense(1)], dtype=dtype)
        net.fit(times, X[:, 0], epochs=1, progress=False)
        model = net.to_torch()
        back = fastnn.from_torch(model)
        assert back.dtype == dtype
        for rows in (times, times.astype(np.int64), times.astype(np.float32)):
            found = model(torch.from_numpy(rows)).detach().numpy()
            assert found.dtype == dtype
            for other in (found, back.activations(rows)[-1]):
                np.testing.assert_allclose(other, net.activations(rows)[-1], rtol=1e-4, atol=1e-5)

    def test_a_device_that_is_the_default_does_not_matter(self):
        net = Network([Dense(3, "relu"), BatchNorm(), Dense(1)], inputs=4)
        with torch.device("meta"):
            model = net.to_torch()
        assert all(t.device.type == "cpu" for t in model.state_dict().values())
        expected = net.activations(X)[-1]
        found = model(torch.from_numpy(X)).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
