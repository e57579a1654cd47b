"""
Activation functions
====================

`fastnn.plot.activations`: activation functions and their derivatives, computed by the kernels that
networks run on.
"""

from fastnn import plot

ax = plot.activations(["sigmoid", "tanh", "relu", "leaky_relu", "gelu"])
