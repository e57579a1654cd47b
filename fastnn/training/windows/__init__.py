"""Fits on rows that are read in windows: data larger than memory, in an order of their own."""
