"""Training: what a fit is set to, its data, its loop, and what is recorded of it."""
