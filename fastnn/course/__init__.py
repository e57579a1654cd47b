"""The notebooks' own functions over fastnn's kernels: change the import line, and a notebook runs.

Columns are examples, X (n_x, m) and Y (1, m); everything computes in float64; functions check
shapes and never values. One module for each notebook or helper file of the course, such as
``fastnn.course.deep`` or ``fastnn.course.lr_utils``. The notebooks seed NumPy's global generator
inside their functions; so do these, by the keyword `seed`, and then give the published numbers.

- ``logistic_regression``, ``lr_utils``: logistic regression as a neural network (course 1)
- ``shallow``, ``planar_utils``: one hidden layer, points in the plane
- ``deep``, ``dnn_utils``, ``dnn_app_utils``: deep networks, step by step and on images
- ``initialization``, ``init_utils``: zeros, too large, He (course 2)
- ``regularization``, ``reg_utils``: L2 and dropout
- ``gradient_checking``, ``gc_utils``: slopes of the cost against backward propagation
- ``optimization``, ``opt_utils``: mini-batches, momentum, Adam, decaying rates
- ``testCases``, ``testCases_v2``: inputs for the exercises
- ``ideas``, ``assignments``: the ideas and assignments as programs, ``python -m``
- ``experiments``: the lectures' experiments, drawn, through `Network`
- ``errata``: what the notes get wrong
"""
