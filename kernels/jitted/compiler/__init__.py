"""How kernels are compiled: Numba's flags, the cache on disk, the tables of pointers."""
