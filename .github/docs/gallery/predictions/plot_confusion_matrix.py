"""
Confusion matrix
================

`fastnn.plot.confusion_matrix`: how many examples of one class were taken for another. Right
answers lie on the diagonal, and colours are shares of the row, so that rare classes count as much
as frequent ones.
"""

from fastnn import Network, data, plot

digits = data.digits()
X, X_test, y, y_test = data.split(data.flatten_images(digits.X), digits.y)
net = Network.mlp([64, 32, 10], output="softmax", rescale=1 / 16)
net.fit(X, y, epochs=10, batch_size=32)
ax = plot.confusion_matrix(y_test, net.predict(X_test))
