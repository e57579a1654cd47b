"""What calls ask the linked kernels for: all that they reach, and nothing that they do not."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastnn.kernels import jitted
from fastnn.kernels.jitted import records
from fastnn.kernels.jitted.execution import kernel_selection
from fastnn.kernels.jitted.first_layer import strategy
from fastnn.kernels.jitted.loader import tables
from fastnn.kernels.jitted.loader.source import manifest

import fastnn
from fastnn import BatchNorm, Dense, Dropout, GaussianNoise, Network

X = np.random.default_rng(0).integers(0, 256, (20, 80)).astype(np.uint8)
Y = np.arange(20) % 2


@pytest.fixture
def forgetful(monkeypatch):
    """Programs that do not name the kernels which read rows in place."""
    monkeypatch.setattr(strategy, "required_kernels", lambda *_: set())
    kernel_selection._kernel_ptrs.cache_clear()
    yield
    kernel_selection._kernel_ptrs.cache_clear()


def test_a_kernel_that_is_not_requested_is_named(forgetful):
    with pytest.raises(RuntimeError, match=r"did not request: first_layer\."):
        Network([Dense(1, "sigmoid")]).build(80).predict(X)


def test_a_row_reaches_no_kernel_that_is_not_requested(monkeypatch):
    monkeypatch.setattr(kernel_selection, "of_activation", lambda code: "batch")
    kernel_selection._kernel_ptrs.cache_clear()
    net = Network([Dense(3, "silu"), Dense(1, "sigmoid")], seed=9).build(80)
    with pytest.raises(RuntimeError, match=r"did not request: .*ops\.activations\.activation silu"):
        net.predict(X[:1])
    kernel_selection._kernel_ptrs.cache_clear()


def test_no_table_holds_an_address_of_zero():
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        assert tables.kernel_pointers(dtype, frozenset({"product"})).all()


def network():
    layers = [Dense(9, "relu"), Dropout(0.5), Dense(8, "tanh"), BatchNorm(), Dense(1, "sigmoid")]
    return Network(layers, inputs=80)


TRAINING = re.compile("training|cost|update|method|back$|cross_entropy|finish|clip|penalty|shuffle")


@pytest.mark.parametrize("rows", [1, 20])
def test_a_prediction_names_nothing_of_training(named, rows):
    network().predict(X[:rows])
    assert named
    assert not [name for name in named if TRAINING.search(name)]


def test_a_row_alone_names_no_products_of_batches(named):
    Network([Dense(7, "tanh"), Dense(2, "softmax")], inputs=80).predict(X[:1])
    assert "activation tanh" in named
    assert not named & {"batch", "tiles", "reading", "pick", "feature groups"}


def test_an_evaluation_names_its_cost_and_nothing_of_training(named):
    network().evaluate(X, Y)
    assert {"cost", "binary_cross_entropy"} <= named
    assert not [name for name in named if re.search("training|update|method|back$", name)]


def test_a_gradient_names_no_step(named):
    network().cost_and_gradients(X, Y, l2=0.1)
    assert {"training", "penalty"} <= named
    assert not [name for name in named if re.search("update|method|finish|clip|shuffle", name)]


def test_a_fit_names_one_method_and_no_wish_that_it_has_not(named):
    net = Network([Dense(9, "relu"), Dense(1, "sigmoid")], inputs=80)
    net.fit(X, Y, epochs=1, shuffle=False, optimizer=fastnn.RMSprop(), progress=False)
    assert [name for name in named if re.fullmatch(r"method \w+", name)] == ["method rmsprop"]
    assert not named & {"clip", "complete", "penalty", "finish", "max_norm", "shuffle", "evaluate"}


def test_a_fit_names_no_activation_behind_its_loss_nor_what_products_end_with(named):
    """It takes the loss of logits: sigmoid comes after that. What is read ends with no relu."""
    net = Network([Dense(9, "relu"), Dense(8, "relu"), Dense(1, "sigmoid")], inputs=80)
    net.fit(X, Y, epochs=1, progress=False)
    active = {name for name in named if name.startswith("activation")}
    assert {re.sub(" in training| back", "", name) for name in active} == {"activation relu"}


@pytest.mark.parametrize("record", records.RECORDS.values())
def test_a_record_is_found_by_its_name(record):
    """Another process that loads a kernel from the cache would take it for another type else."""
    assert getattr(sys.modules[record.__module__], record.__name__, None) is record


def test_every_name_is_that_of_a_kernel(named):
    """A name that is misspelt would leave its kernel out."""
    rng, order = np.random.default_rng(0), np.arange(20) % 3
    for data in (X, X.astype(float), rng.normal(size=(20, 30)).astype(np.float32)):
        layers = [Dense(40, "elu", max_norm=2), GaussianNoise(0.1), Dropout(0.5), BatchNorm()]
        net = Network([*layers, Dense(3, "softmax")], inputs=data.shape[1])
        net.fit(
            data, order, validation_data=(data, order), epochs=1, l2=0.1, clip_norm=1.0,
            progress=False,
        )  # fmt: skip
        net.predict(data)
    flags = {"noise", "dropout", "max_norm in training"}  # of uses that need no kernel by that name
    known = {kernel.requires for kernel in manifest().kernels}
    unknown = {name for name in named - known - flags if not name.endswith("in training")}
    assert not unknown


def test_every_name_of_a_kernel_is_written_twice():
    """Where the kernel says when it is needed, and where a call says that it needs it.

    An entry point that Python calls as an op is asked for by its own name.
    """
    folder = Path(jitted.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
    uses = re.findall(r'@indirect\([^)]*requires="([^"]+)"', source)
    assert len(uses) > 10
    for use in uses:
        assert source.count(f'"{use.removesuffix(" in training")}"') >= 2, use


def test_kernels_have_places_that_do_not_depend_on_what_was_imported_first():
    """Compiled code on disk holds places, which another process must find as they were.

    The manifest beside it lists them, for processes that import no kernel's source.
    """
    code = "; ".join(
        (
            "import fastnn",
            "from fastnn.kernels.jitted.{} import {}",
            "from fastnn.kernels.jitted.compiler.definitions import manifest",
            "print([kernel.name for kernel in manifest().kernels])",
        )
    )
    found = {
        subprocess.run(
            [sys.executable, "-P", "-c", code.format(room, module)],
            capture_output=True, text=True, check=True, timeout=200,
        ).stdout
        for room, module in (("step", "update"), ("api", "vector_ops"))
    }  # fmt: skip
    assert found == {f"{[kernel.name for kernel in manifest().kernels]}\n"}
