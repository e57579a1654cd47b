"""What kernels ask of a caller who says nothing: on how many threads, and what else to check."""


def alone():
    """Return the number of threads that a call uses at most."""
    return 1


def trusted():
    """Refuse nothing: X was looked at before."""
