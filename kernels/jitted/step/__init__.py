"""The kernels of a step: forward, backward, update, and the loop that takes the steps of a fit."""
