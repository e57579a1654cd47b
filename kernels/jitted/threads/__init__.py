"""Threads: a fork-join team with a barrier, the worker of single rows, and scratch memory."""
