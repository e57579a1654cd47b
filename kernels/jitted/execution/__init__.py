"""The compiled executor of a program: its entry points, the loop over steps, and their memory."""
