"""Compiled code without Numba: packs, the user's cache, linking, tables of kernel pointers.

A kernel is *object code*, as a compiler writes it, for one dtype of networks and one CPU target. It
comes from a pack, which is installed with fastnn and holds all kernels, or from the user's cache
folder, into which Numba's compiler puts what is missing. Nothing here imports Numba, and llvmlite
only where code cannot be linked without it.
"""
