"""
Signal through a deep network
=============================

`fastnn.plot.signal`: how large the activations of each layer are. Fifty layers of relu, their
weights drawn in three ways: too small, and the signal vanishes; too large, and it explodes.
"""

from fastnn import plot
from fastnn.diagnostics import depth_experiment

ax = plot.signal(depth_experiment(50))
