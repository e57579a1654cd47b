"""What tests of the tabular estimators share: short trainings."""

from dataclasses import replace

import pytest


@pytest.fixture(scope="module")
def few_epochs():
    """Let bags take ten epochs, where a test asks nothing of what they learn."""
    from fastnn.tabular import base, members
    from fastnn.tabular.rule import rule_for

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "rule_for", lambda *args: replace(rule_for(*args), epochs=10))
        patch.setitem(members.PLAIN, "epochs", 10)
        yield
