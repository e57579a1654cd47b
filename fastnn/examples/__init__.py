"""Worked examples: small whole programs, each run by ``python -m fastnn.examples.NAME``.

- ``digits``: classify the bundled digits, judge every class, save and load the model
- ``images``: images from an HDF5 file, train, dev and test set, and a look at the errors
- ``regression``: a table of numbers, inputs normalised, early stopping, evaluation
- ``tuning``: learning rate, width and dropout by random search
- ``custom_activation``: an activation of one's own, its gradient checked
- ``custom_loss``: a loss of one's own with a parameter, its gradient checked, compiled
- ``custom_optimizer``: an optimiser of one's own, compiled, held against Adam
"""
