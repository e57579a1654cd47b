"""How kernels read X: which kind is chosen for which input, and that every kind has its kernels."""

import numpy as np
import pytest
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.jitted.execution.input_mode import select_input_mode
from fastnn.kernels.jitted.first_layer import strategy
from fastnn.kernels.jitted.first_layer.input_descriptor import InputKind, describe_input

from fastnn import BatchNorm, Dense, Network, Normalization, Rescaling, kernels

FLOAT32 = np.dtype(np.float32)
X = np.random.default_rng(0).integers(0, 256, (60, 2100)).astype(np.uint8)


def kind_of(X, layers, batch=60, dtype="float32"):
    """The kind that a run over X chooses for a network."""
    net = Network([*layers, Dense(2, "softmax")], dtype=dtype).build(X.shape[1])
    program = net.program
    return select_input_mode(program.ops, program.state, X, np.dtype(dtype), batch).X.kind


def sparse(filled, n=400):
    """CSR rows (60, n) of which so many a row are not zero."""
    indices = np.tile(np.arange(filled, dtype=np.int32), 60)
    data = np.ones(60 * filled, np.float32)
    return SparseRows(data, indices, np.arange(61, dtype=np.int64) * filled, (60, n))


@pytest.fixture
def with_int8(monkeypatch):
    """A CPU with int8 kernels, as far as the choice of kinds goes."""
    monkeypatch.setattr(strategy, "int8_dtypes", lambda: (FLOAT32,))


@pytest.mark.parametrize(
    ("X", "layers", "kind"),
    [
        (X, [Rescaling(1 / 255), Dense(3)], InputKind.STRIDED),
        (X, [Rescaling(1 / 255), Dense(1)], InputKind.INT8_SINGLE_OUTPUT),
        (X, [Rescaling(1 / 255), Dense(7)], InputKind.INT8_NARROW),
        (X[:, :1500], [Rescaling(1 / 255), Dense(7)], InputKind.INT8_PACKED),
        (X[:, :300], [Rescaling(1 / 255), Dense(50)], InputKind.INT8_PACKED),
        (X[:, :200], [Rescaling(1 / 255), Dense(50)], InputKind.LAID_OUT),
        (X[:, :63], [Rescaling(1 / 255), Dense(3)], InputKind.LAID_OUT),
        (X[:, ::2], [Rescaling(1 / 255), Dense(7)], InputKind.BLOCKS),
        (X, [Rescaling(1 / 16, offset=-1), Dense(7)], InputKind.BLOCKS),
        (X.astype(np.int16), [Rescaling(1 / 255), Dense(7)], InputKind.BLOCKS),
        (X.astype(np.float32), [Rescaling(1 / 255), Dense(7)], InputKind.STRIDED),
        (X.astype(np.float64), [Rescaling(1 / 255), Dense(7)], InputKind.BLOCKS),
        (X, [BatchNorm(), Dense(7)], InputKind.LAID_OUT),
        (sparse(20), [Dense(7)], InputKind.CSR),
        (sparse(30), [Dense(7)], InputKind.BLOCKS),
    ],
)
def test_an_input_is_read_as_its_kind(X, layers, kind, with_int8):
    assert kind_of(X, layers) == kind


def test_small_batches_and_float64_are_not_quantised(with_int8):
    layers = [Rescaling(1 / 255), Dense(7)]
    assert kind_of(X, layers, strategy.INT8_MIN_BATCH) == InputKind.INT8_NARROW
    assert kind_of(X, layers, strategy.INT8_MIN_BATCH - 1) == InputKind.STRIDED
    assert kind_of(X, layers, dtype="float64") == InputKind.STRIDED


def test_features_that_are_scaled_apart_go_by_blocks():
    scaler = Normalization()
    net = Network([scaler, Dense(3), Dense(2, "softmax")])
    net.fit(X, np.arange(60) % 2, epochs=1, progress=False)
    program = net.program
    mode = select_input_mode(program.ops, program.state, X, FLOAT32, 60)
    assert mode.X.kind == InputKind.BLOCKS
    assert mode.required_kernels == {"uint8", strategy.GATHER_BLOCKS}


def test_a_description_counts_elements_and_keeps_the_array():
    x, keepalive = describe_input(X[3:, 5:])
    assert keepalive.base is X
    assert (x.address, x.row_stride, x.column_stride) == (X.ctypes.data + 3 * 2100 + 5, 2100, 1)
    assert x.dtype_code == 2
    rows = sparse(20)
    x, keepalive = describe_input(rows)
    assert keepalive is rows
    vectors = (rows.data, rows.indptr, rows.indices)
    assert x[:3] == tuple(vector.ctypes.data for vector in vectors)


@pytest.mark.skipif(not kernels.get("jitted").available, reason="Numba's compiler is switched off")
def test_a_kind_without_kernels_is_named():
    from fastnn.kernels.jitted.first_layer.kernels_by_kind import FORWARD, places_of

    names = {kind: names.forward for kind, names in strategy.KERNELS.items()}
    assert len(places_of(names, FORWARD)) == len(InputKind) - 1
    del names[InputKind.CSR]
    with pytest.raises(NotImplementedError, match="names no kernel for CSR"):
        places_of(names, FORWARD)
