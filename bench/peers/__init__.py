"""fastnn beside NumPy, scikit-learn, PyTorch and JAX on the same work: `python -m bench.peers`."""
