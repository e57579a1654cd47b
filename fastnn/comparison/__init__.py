"""Loops, vectorised and compiled kernels compared: the work, and its timing."""
