"""What emits code: vectors, pointers and the elementary functions that the kernels compute with."""
