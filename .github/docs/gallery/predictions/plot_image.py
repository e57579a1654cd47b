"""
An image and its prediction
===========================

`fastnn.plot.image`: an image with its label and what a network took it for. The title is red where
they differ.
"""

import matplotlib.pyplot as plt

from fastnn import Network, data, plot

digits = data.digits()
X = data.flatten_images(digits.X)
net = Network.mlp([64, 32, 10], output="softmax", rescale=1 / 16)
net.fit(X, digits.y, epochs=3, batch_size=32)
wrong = (net.predict(X) != digits.y).nonzero()[0]
chosen = [0, 1, 2, wrong[0]]
figure, axes = plt.subplots(1, 4, figsize=(8, 2.6), layout="constrained")
for ax, i in zip(axes, chosen, strict=True):
    plot.image(digits.X[i], label=digits.y[i], prediction=net.predict(X[i : i + 1])[0], ax=ax)
