"""Whole processes, from the start of Python to its end: fastnn's and other libraries'."""
