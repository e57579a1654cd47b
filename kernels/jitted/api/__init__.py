"""Entry points of single ops: arguments are checked and laid out for the kernels."""
