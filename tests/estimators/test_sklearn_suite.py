"""scikit-learn's word on our estimators: its signatures, its checks, and its tests of its MLP."""

import inspect
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import fastnn
from fastnn import LogisticRegression, MLPClassifier, MLPRegressor
from fastnn.schedules import Exponential

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import linear_model, neural_network  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RELEASE = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
THEIRS = {
    "MLPClassifier": neural_network.MLPClassifier,
    "MLPRegressor": neural_network.MLPRegressor,
    "LogisticRegression": linear_model.LogisticRegression,
}
#: Methods that ours lack, and why.
LEFT_OUT = {
    "densify": "coefficients are the network's own, which are dense",
    "sparsify": "coefficients are the network's own, which are dense",
}
#: Parameters whose default is another one here, and why; (ours, scikit-learn's).
OTHER_DEFAULTS = {}


def names_and_kinds(function):
    """Parameters that scikit-learn's users can give, with the defaults that they have."""
    found = inspect.signature(function).parameters
    return {name: p for name, p in found.items() if name != "self"}


@pytest.mark.skipif(RELEASE < (1, 9), reason="the signatures are those of scikit-learn 1.9")
@pytest.mark.parametrize("name", THEIRS)
class TestSignatures:
    def test_every_parameter_has_its_name_place_and_default(self, name):
        mine = names_and_kinds(getattr(fastnn, name).__init__)
        theirs = names_and_kinds(THEIRS[name].__init__)
        for parameter, theirs_of_it in theirs.items():
            assert parameter in mine, parameter
            assert mine[parameter].kind == theirs_of_it.kind, parameter
            pair = mine[parameter].default, theirs_of_it.default
            assert pair == OTHER_DEFAULTS.get((name, parameter), (pair[1], pair[1])), parameter
        positional = [
            [n for n, p in found.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
            for found in (mine, theirs)
        ]
        assert positional[0] == positional[1]

    def test_what_is_added_goes_by_keyword(self, name):
        mine = names_and_kinds(getattr(fastnn, name).__init__)
        for parameter in set(mine) - set(names_and_kinds(THEIRS[name].__init__)):
            assert mine[parameter].kind is inspect.Parameter.KEYWORD_ONLY

    def test_every_method_takes_what_it_takes_there(self, name):
        cls = getattr(fastnn, name)
        for method, function in inspect.getmembers(THEIRS[name], callable):
            if method.startswith("_") or method.endswith("_request") or method in LEFT_OUT:
                continue
            theirs, mine = names_and_kinds(function), names_and_kinds(getattr(cls, method))
            ours = list(mine)[: len(theirs)]
            assert ours == list(theirs), method


#: Settings whose checks run beside those of the defaults: what ours add.
CHECKED = [
    MLPClassifier(scale="standard", early_stopping=True, validation_fraction=0.3, max_iter=50),
    MLPClassifier(batch_norm=True, dropout=0.1, max_iter=50),
    MLPRegressor("poisson", solver="lbfgs", max_iter=50),
    MLPRegressor("huber", activation="gelu", init="he", schedule=Exponential(0.99), max_iter=50),
    LogisticRegression(class_weight="balanced", warm_start=True),
]
#: Settings of scikit-learn's own, whose tests of them ours pass in any case, and like ones.
CHECKED_LONG = [
    MLPClassifier(solver="lbfgs", max_iter=50),
    MLPClassifier(class_weight="balanced", max_iter=50),
    MLPClassifier(solver="sgd", learning_rate="invscaling", learning_rate_init=0.1, max_iter=50),
    MLPClassifier(loss="categorical_cross_entropy", dtype="float32", max_iter=50),
    MLPRegressor(scale="robust", solver="sgd", learning_rate="adaptive", max_iter=50),
    LogisticRegression(fit_intercept=False),
    LogisticRegression(C=np.inf),
]

PARTIAL = dict.fromkeys(
    ("check_fit_score_takes_y", "check_n_features_in_after_fitting",
     "check_estimators_partial_fit_n_features"),
    "partial_fit refuses what only the whole of the data can honour, as scikit-learn's",
)  # fmt: skip
BATCHES = {
    f"check_sample_weight_equivalence_on_{kind}_data": "rows that stand there twice, or not at all,"
    " make other batches, other held-out rows or other counts of rows seen, as in scikit-learn"
    for kind in ("dense", "sparse")
}
MULTILABEL = {
    f"check_classifiers_multilabel_{what}": "a softmax has one label an example"
    for what in (
        "representation_invariance", "output_format_predict", "output_format_predict_proba",
        "output_format_decision_function",
    )
}  # fmt: skip


def expected(estimator):
    """Checks that fail by what the parameters mean, and why."""
    given, found = estimator.get_params(), {}
    if given.get("early_stopping"):
        found |= PARTIAL | BATCHES
        found["check_class_weight_classifiers"] = "the accuracy of few rows ends the fit at once"
    if given.get("class_weight") == "balanced" and "solver" in given and given["solver"] == "adam":
        found |= PARTIAL
    if given.get("batch_norm"):
        found |= BATCHES
        found["check_fit2d_1sample"] = "our sentence says that BatchNorm needs a batch of two"
    if given.get("loss") == "categorical_cross_entropy":
        found |= MULTILABEL
        found["check_classifiers_one_label"] = "a softmax has two classes"
        found["check_fit2d_1sample"] = "our sentence says that it has"
    if given.get("dtype") == "float32":
        found |= BATCHES
    if given.get("loss") == "poisson":
        found["check_regressor_multioutput"] = "the check's targets are negative"
    if given.get("learning_rate") == "invscaling":
        found |= BATCHES
    if given.get("fit_intercept") is False:
        found["check_class_weight_classifiers"] = "fails for scikit-learn's without intercept too"
    return found


@pytest.mark.slow
@parametrize_with_checks(CHECKED, expected_failed_checks=expected)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.long
@parametrize_with_checks(CHECKED_LONG, expected_failed_checks=expected)
def test_scikit_learns_checks_of_more_settings(estimator, check):
    check(estimator)


PRIVATE = "it reads or writes private attributes"
#: Tests of scikit-learn's that ours do not pass, by name and without parameters, and why.
OTHERWISE = {
    "test_fit": f"{PRIVATE}, of a model that was never fitted",
    "test_gradient": PRIVATE,
    "test_learning_rate_warmstart": PRIVATE,
    "test_adaptive_learning_rate": PRIVATE,
    "test_n_iter_no_change": PRIVATE,
    "test_n_iter_no_change_inf": PRIVATE,
    "test_nonfinite_params": "our ValueError names the layer in which numbers left the range",
    "test_mlp_diverging_loss": "ours raises DivergenceError where theirs goes on with NaN",
    "test_early_stopping_stratified": "ours trains where a class has one row, theirs refuses",
    "test_verbose_sgd": "ours shows fastnn's line of progress",
}
#: Tests that ours fail on some machines and pass on others, and why.
BY_CHANCE = {
    "test_predict_proba_multilabel": "ours tells logarithms apart whose probabilities round to 1",
}
CONFTEST = """
import pytest

@pytest.fixture
def global_random_seed():
    return 42
"""


@pytest.mark.slow
def test_scikit_learns_own_tests_pass_by_exchanging_the_import(tmp_path):
    module = pytest.importorskip("sklearn.neural_network.tests.test_mlp")
    source = inspect.getsource(module)
    line = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
    assert source.count(line) == 1
    path = tmp_path / "test_exchanged.py"
    path.write_text(source.replace(line, "from fastnn import MLPClassifier, MLPRegressor"))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    private = [name for name, why in OTHERWISE.items() if why.startswith(PRIVATE)]
    left_out = [f"--deselect=test_exchanged.py::{name}" for name in private]
    code = f"import sys; sys.path[:0] = {sys.path!r}; import pytest; sys.exit(pytest.main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", "--junitxml=found.xml",
         "--tb=line", *left_out, "test_exchanged.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    cases = list(ET.parse(tmp_path / "found.xml").iter("testcase"))
    failed = {c.get("name").split("[")[0] for c in cases if c.find("failure") is not None}
    assert not [c.get("name") for c in cases if c.find("error") is not None]
    known = {name for name in set(OTHERWISE) - set(private) if hasattr(module, name)}
    assert failed - set(BY_CHANCE) == known, done.stdout[-4000:]
    if RELEASE >= (1, 9):
        assert len(cases) - len(failed - set(BY_CHANCE)) >= 49
