"""Entry points of single ops for Python: they check arguments and lay them out for kernels."""
