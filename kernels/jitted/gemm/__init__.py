"""Matrix products: a register-tiled micro-kernel, the loops around it, packing and epilogues."""
