"""Threads: a fork-join team, a worker for predictions of one example, and scratch memory."""
