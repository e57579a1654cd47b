"""The notebooks' own functions over fastnn's kernels: change the import line, and a notebook runs.

Columns are examples, X (n_x, m) and Y (1, m); everything computes in float64; functions check
shapes and never values. One module for each notebook or helper file of the course, such as
``fastnn.course.deep`` or ``fastnn.course.lr_utils``. The notebooks seed NumPy's global generator
inside their functions; so do these, by the keyword `seed`, and then give the published numbers.

Editions differ. These functions follow the notebooks of 2021; where those of 2017 to 2020 give
other numbers or return other values, ``edition=2017`` does as they did (`shallow.nn_model`,
`deep.two_layer_model`, `deep.L_layer_model`, `gradient_checking.gradient_check_n`,
`optimization.update_parameters_with_adam`).

Helper files stand under their file names, with version suffixes too (``dnn_app_utils_v3``,
``testCases_v4a``); where two of them share a function name, each has its own. For
``scipy.ndimage.imread``, which SciPy no longer has, take `fastnn.data.load_image`.

- ``logistic_regression``, ``lr_utils``: logistic regression as a neural network (course 1)
- ``shallow``, ``planar_utils``: one hidden layer, points in the plane
- ``deep``, ``dnn_utils``, ``dnn_app_utils``: deep networks, step by step and on images
- ``initialization``, ``init_utils``: zeros, too large, He (course 2)
- ``regularization``, ``reg_utils``: L2 and dropout
- ``gradient_checking``, ``gc_utils``: slopes of the cost against backward propagation
- ``optimization``, ``opt_utils``, ``opt_utils_v1a``: mini-batches, momentum, Adam, decaying rates
- ``testCases``, ``testCases_v2`` … ``testCases_v4a``: inputs for the exercises
- ``ideas``, ``assignments``: the ideas and assignments as programs, ``python -m``
- ``experiments``: the lectures' experiments, drawn, through `Network`
- ``errata``: what the notes get wrong
"""
