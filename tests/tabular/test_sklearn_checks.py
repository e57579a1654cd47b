"""scikit-learn's checks of estimators, on the tabular ones."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn import TabularClassifier, TabularRegressor

#: Checks that fail by what the estimators are, and why.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "rows that stand there twice make other parts "
    "of the rows, other batches and other quantiles",
}


@pytest.mark.long
@parametrize_with_checks(
    [TabularClassifier(), TabularRegressor()], expected_failed_checks=lambda estimator: EXPECTED
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
