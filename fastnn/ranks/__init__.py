"""Ranks: processes that train one network together, connected by MPI."""
