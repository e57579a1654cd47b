"""The ops of a network, compiled: activations, losses, batch norm, random numbers, optimisers."""
