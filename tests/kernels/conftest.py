"""What tests of several kernels watch."""

import pytest
from fastnn.kernels.jitted.execution import kernel_selection


@pytest.fixture
def named(monkeypatch):
    """The requirements that calls hand to the table of kernels from here on."""
    names, table = set(), kernel_selection.kernel_pointers

    def watched(dtype, uses, *others):
        names.update(uses)
        return table(dtype, uses, *others)

    kernel_selection._kernel_ptrs.cache_clear()
    monkeypatch.setattr(kernel_selection, "kernel_pointers", watched)
    yield names
    kernel_selection._kernel_ptrs.cache_clear()
