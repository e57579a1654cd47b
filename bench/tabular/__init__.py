"""Models for tables beside each other: python -m bench.tabular SETS, see `__main__`."""
