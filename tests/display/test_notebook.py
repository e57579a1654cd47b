"""A notebook that is run: progress ends at the last epoch, and objects show themselves as HTML."""

from __future__ import annotations

import os
import re
import sys
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.medium

SETUP = """
import numpy as np
import fastnn
from fastnn import Network, data, diagnostics, metrics, spaces

chosen = fastnn.backend("vectorized")
X, y = data.moons(120, seed=0)


def make(seed=0):
    return Network.mlp([2, 4, 1], output="sigmoid", seed=seed)


net = make()
"""
FITS = [
    "history = net.fit(X, y, epochs=30, validation_split=0.2, progress=True)",
    "history = make().fit(X, y, epochs=30, batch_size=4, metrics=['f1'], progress=True)",
    "for seed in range(3):\n    make(seed).fit(X, y, epochs=30, progress=True)",
    "history = make().fit(X, y, epochs=30, optimizer=fastnn.LBFGS(), progress=True)",
    "history = make().fit(X, y, epochs=3)",
]
SHOWN = {
    "net": "Network",
    "net.history": "History: 30 epochs",
    "data.Dataset(X, y, ('<b>upper</b>', 'lower'), 'moons')": "&lt;b&gt;upper&lt;/b&gt;",
    "diagnostics.learning_curve(make, X[:80], y[:80], X_dev=X[80:], y_dev=y[80:], epochs=1)": "gap",
    "fastnn.check_gradients(net, X, y)": "Checked on a float64 copy",
    "diagnostics.bias_variance(0.01, 0.02)": "dev error",
    "diagnostics.signal(net, X)": "saturated",
    "diagnostics.depth_experiment(9)": "Spread of A",
    "metrics.classification_report(y, net.predict(X), classes=['a', '<i>'])": "&lt;i&gt;",
    "fastnn.tuning.results.Search([{'number': 0, 'parameters': {'beta': 0.5}, 'score': None, "
    "'epochs': 1, 'state': 'failed', 'error': '<mine>'}], {'beta': spaces.Linear(0, 1)}, 'cost')": (
        "failed: &lt;mine&gt;"
    ),
}


@pytest.fixture(scope="module")
def outputs():
    """What each cell showed, in the order of the cells."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    nbformat = pytest.importorskip("nbformat.v4", reason="nbformat is not installed")
    cells = [SETUP, *FITS, "import fastnn.tuning.results", *SHOWN]
    notebook = nbformat.new_notebook(cells=[nbformat.new_code_cell(text) for text in cells])
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        context.delenv("PYTHONWARNINGS", raising=False)
        nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return dict(zip(cells, (cell.outputs for cell in notebook.cells), strict=True))


@pytest.mark.parametrize("fit", FITS[:3])
def test_the_bar_of_every_fit_ends_at_its_last_epoch(outputs, fit):
    shown = [output["data"] for output in outputs[fit]]
    assert len(shown) == (3 if "range(3)" in fit else 1)
    for picture in shown:
        assert picture["text/plain"].startswith("epoch 30/30  ")
        assert '<progress value="30" max="30">' in picture["text/html"]
        assert re.search(r"  cost \d\.\d{4}  accuracy \d\.\d{4}", picture["text/html"])
    assert ("validation accuracy" in str(shown)) == ("validation" in fit)


def test_the_bar_of_a_fit_that_converged_ends_where_the_fit_did(outputs):
    (output,) = outputs[FITS[3]]
    assert re.match(r"epoch ([1-9]|[12]\d|30)/30  ", output["data"]["text/plain"])


def test_a_short_fit_shows_nothing(outputs):
    assert outputs[FITS[4]] == []


@pytest.mark.parametrize("code", SHOWN)
def test_objects_show_themselves_as_html_that_is_well_formed(outputs, code):
    (output,) = outputs[code]
    text = output["data"]["text/html"]
    assert SHOWN[code] in text
    assert "<table>" in text
    assert not re.search(r"<(b|i|mine)>", text)
    ElementTree.fromstring(f"<div>{text}</div>")
    assert output["data"]["text/plain"]
