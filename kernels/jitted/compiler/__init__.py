"""How kernels are defined and compiled: Numba's flags, object code, entrances, helpers, packs."""
