"""
Gradient descent on a surface
=============================

`fastnn.plot.descent`: the path of two parameters over the contours of the cost. Here a line ŷ = wx
+ b is fitted to four points, by 40 steps of gradient descent.
"""

import numpy as np

from fastnn import plot

x = np.array([-1.0, 0.0, 1.0, 2.0])
y = 2 * x + 1
w, b, path = -1.0, 3.0, [(-1.0, 3.0)]
for _ in range(40):
    error = w * x + b - y
    w, b = w - 0.3 * np.mean(error * x), b - 0.3 * np.mean(error)
    path.append((w, b))

ax = plot.descent(path, lambda w, b: np.mean((w * x + b - y) ** 2) / 2)
