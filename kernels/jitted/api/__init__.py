"""Single ops as Python calls them: arguments are checked and laid out for the kernels."""
