"""What kernels are built from: block sizes, vectors, views, elementary functions and atomics."""
