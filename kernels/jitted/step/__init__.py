"""The kernels of a training step: forward, backward, update, and the loop over a fit's steps."""
