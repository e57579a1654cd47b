"""What tests of many rooms build: the smallest network that has a hidden layer."""

from fastnn import Dense, Network


def network(units=4, hidden="tanh", output="sigmoid", **settings):
    """Return a network of one hidden layer and one output; `settings` are those of `Network`."""
    return Network([Dense(units, hidden), Dense(1, output)], **settings)
