"""Habits: what users of Keras, PyTorch and scikit-learn type, and what they get here.

Names given as text have synonyms where all libraries mean one thing (`synonyms`), and are kept
under our own name. Keywords, attributes and imports have none: what is typed there gets one
sentence that names ours (`keywords`, `names`). `answers` looks all of them up, `page` lists them.
"""
