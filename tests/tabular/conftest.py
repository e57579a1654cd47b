"""What tests of the tabular estimators share: short trainings."""

from dataclasses import replace

import pytest


@pytest.fixture(scope="module")
def few_epochs():
    """Let bags take nine epochs, where a test asks nothing of what they learn."""
    from fastnn.tabular import base, candidates
    from fastnn.tabular.rule import rule_for

    with pytest.MonkeyPatch.context() as patch:
        short = {"first_cycle": 3, "cycles": 2}
        patch.setattr(base, "rule_for", lambda *args: replace(rule_for(*args), **short))
        patch.setitem(candidates.PLAIN, "epochs", 50)
        yield
