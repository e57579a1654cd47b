"""What every benchmark shares: one column set, and the machine beside every timing."""

from __future__ import annotations

import pytest

from . import machine


def pytest_configure(config):
    """Show few columns unless asked for others: groups of three are read for their ratios."""
    given = config.invocation_params.args
    if not any(str(argument).startswith("--benchmark-columns") for argument in given):
        config.option.benchmark_columns = ["min", "median", "iqr", "rounds"]


def pytest_report_header():
    return f"machine: {machine.line()}"


@pytest.fixture
def timed(benchmark):
    """Return a function that files the timing under its group, with its backend and extra facts.

    Files of results and histograms show names alone, so the name tells the group again, and
    parameters that are objects of ours stand there as their names, the same in every run.
    """

    def file(group, backend, **extra):
        benchmark.group, benchmark.name = group, f"{group} {backend}"
        if benchmark.params is not None:
            benchmark.params = {key: str(value) for key, value in benchmark.params.items()}
        benchmark.extra_info.update(machine.facts(), backend=backend, **extra)
        return benchmark

    return file
