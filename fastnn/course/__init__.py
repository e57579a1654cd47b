"""The notebooks' own functions over fastnn's kernels: change the import line, and a notebook runs.

Columns are examples, X (n_x, m) and Y (1, m); everything computes in float64; functions check
shapes and never values. One module for each notebook or helper file of the course, such as
``fastnn.course.deep`` or ``fastnn.course.lr_utils``. The notebooks seed NumPy's global generator
inside their functions; so do these, by the keyword `seed`, and then give the published numbers.
"""
