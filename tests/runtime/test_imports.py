"""What a start imports: nothing that the step before it does not use.

A fresh process imports fastnn, describes, fits and uses a network. With each step stand the modules
of fastnn that it imports, and what those import themselves of other packages. The modules of
`fastnn.kernels` stand apart: they depend on where kernels come from.
"""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.medium

#: Modules of Python that cost next to nothing, or that NumPy imports too: any step may have them.
CHEAP = """
__future__ abc collections contextlib contextvars copy dataclasses enum functools importlib io
itertools math numbers numpy operator os sys threading time types typing
"""


class Step:
    """A line of a program: the modules of fastnn that it imports, and others that are not CHEAP."""

    def __init__(self, line, modules="", others=""):
        self.line = line
        self.modules = {"fastnn" if name == "." else f"fastnn.{name}" for name in modules.split()}
        self.others = {*CHEAP.split(), *others.split()}


STEPS = [
    Step(
        "import fastnn",
        """. _display _display.short_repr _habits _habits.answers _lazy _moved _runtime
        _runtime.backend _runtime.text _runtime.threads _validation
        _validation.arguments _validation.arrays _validation.examples _version
        activations errors history initializers kernels layers losses
        losses.kinds lowering lowering.fold_batchnorm lowering.lower lowering.program
        network network.description network.network network.prediction network.use
        optimizers optimizers.kinds optimizers.registered training
        training.callback_list training.choose_trainer training.exclusive_fit training.fit_config
        training.interrupts training.learning_rates training.loop training.metric_recorder
        training.prepare_data training.progress training.state training.target_scaling
        training.verdict""",
        "signal",  # of training.interrupts
    ),
    Step("net = fastnn.Network([fastnn.Dense(4, 'relu'), fastnn.Dense(1, 'sigmoid')], inputs=2)"),
    Step("net.fit(X, y, epochs=2, progress=False)", others="pathlib"),  # the container's cores
    Step("net.fit(X, y, epochs=2)"),  # too short for a bar
    Step("net.fit(X, y, epochs=2, progress=True)"),  # stderr is a pipe, where no bar can be
    Step(
        "net.fit(X, y, epochs=2, callbacks=[fastnn.callbacks.EarlyStopping('cost')])",
        "callbacks callbacks.stops_and_checkpoints training.best_weights training.early_stopping",
    ),
    Step(
        "net.fit(X, y, epochs=2, optimizer=fastnn.AdamW(), l2=0.1, validation_split=0.5)",
        "data data.proportions data.splits training.class_weights _validation.label_kinds",
    ),
    Step("net.predict(X)"),
    Step("net.predict(X[:1])"),
    Step("net.predict_proba(X)"),
    Step("net.evaluate(X, y)"),
    Step("net.fit(X, y, epochs=2, optimizer='sgd')", "_habits.rows _habits.synonyms"),
    Step(
        "net.fit(X, y, epochs=2, schedule=fastnn.schedules.Cosine(2))",
        "schedules training.schedule_factors _validation.factors",
    ),
    Step(
        "net.evaluate(X, y, metrics=['f1'])",
        """metrics metrics._inputs metrics.classification metrics.registration metrics.report
        metrics.scores _display.report _display.table""",
        "html",
    ),
]

#: Prints for each line what it imports: modules of fastnn without kernels, and what these ask for.
PROBE = """
import json, sys
import numpy as np, numpy.random

class Probe:
    def find_spec(self, name, path=None, target=None):
        frame = sys._getframe(1)
        while "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        asker = frame.f_globals.get("__name__", "")
        kernels = f"{name} {asker}".count("fastnn.kernels.")
        if not kernels and (asker.startswith("fastnn") or name.startswith("fastnn")):
            asked.append(name)

asked = []
sys.meta_path.insert(0, Probe())
X, y = np.arange(8.0).reshape(4, 2), [0, 1, 1, 0]
for line in sys.argv[1:]:
    exec(line)
    print(json.dumps([name for name in asked if name in sys.modules]))
    asked.clear()
"""


def python(code, *arguments):
    """Run code in a fresh process and return the lines that it prints."""
    result = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code, *arguments],
        env=os.environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def imported():
    """The names that each step imports, by its line."""
    lines = [step.line for step in STEPS]
    return dict(zip(lines, map(json.loads, python(PROBE, *lines)), strict=True))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.line)
def test_a_step_imports_what_it_uses(imported, step):
    names = imported[step.line]
    assert {name for name in names if name.split(".")[0] == "fastnn"} == step.modules
    others = {name.split(".")[0] for name in names} - {"fastnn"}
    assert others <= step.others


#: Modules of fastnn.kernels that a network needs whose compiled kernels are linked, not compiled.
LINKED = """
backend csr custom_activations custom_methods custom_ops debug gradient_check jitted jitted.api
jitted.api.checks jitted.api.layout jitted.api.matrix_ops jitted.api.vector_ops jitted.backend
jitted.codegen jitted.codegen.cpu jitted.compiler jitted.compiler.announce jitted.execution
jitted.execution.entry jitted.execution.gradient_check jitted.execution.input_mode
jitted.execution.kept_prediction jitted.execution.kernel_selection jitted.execution.work
jitted.execution.workspace
jitted.first_layer jitted.first_layer.input_descriptor jitted.first_layer.sizes
jitted.first_layer.strategy jitted.loader jitted.loader.cpu jitted.loader.digest
jitted.loader.elf jitted.loader.linker jitted.loader.manifest jitted.loader.pack
jitted.loader.private_folder jitted.loader.sealed_file jitted.loader.source jitted.loader.tables
jitted.loader.target jitted.loader.unrequested jitted.loader.user_cache
jitted.records
jitted.requirements jitted.step jitted.step.fusion jitted.threads jitted.threads.helpers
jitted.threads.row_worker
jitted.threads.scratch jitted.threads.team jitted.threads.trials opcodes partition records views
"""
LINK = """
import sys
import numpy as np, fastnn
X, y = np.arange(8.0).reshape(4, 2), [0, 1, 1, 0]
net = fastnn.Network([fastnn.Dense(4, 'relu'), fastnn.Dense(1, 'sigmoid')])
net.fit(X, y, epochs=2)
net.predict(X), net.predict(X[:1]), net.predict_proba(X), net.evaluate(X, y)
print(*sorted(sys.modules))
"""


def test_kernels_of_a_pack_or_of_the_cache_import_no_compiler():
    python(LINK)  # where there is no pack, the cache has them now
    names = python(LINK)[0].split()
    assert "numba" not in names
    prefix = "fastnn.kernels."
    found = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    assert found == set(LINKED.split())
