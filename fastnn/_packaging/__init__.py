"""How wheels of fastnn are built: `pyproject.toml` names the module here as its build backend.

It stands inside the package so that every sdist holds it.
"""
