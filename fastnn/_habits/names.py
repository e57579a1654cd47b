"""Attributes and imports that users of other libraries look for."""

from __future__ import annotations

from .rows import Rows, rows

_NO_MODE = (
    "fit trains with dropout and noise, and predict and evaluate never have them, so that there "
    "is no mode to switch"
)
_LAYERS_ONCE = "a network takes all its layers at once: Network([Dense(…), …])"
_COMPILES = (
    "nothing is compiled by hand: the loss belongs to Network(layers, loss=…), optimizer= and "
    "metrics= to fit"
)
_DENSE_ALONE = "networks here are dense, and have no such layer"
_CHOSEN_BY_NAME = "it is given by name, as in Dense(8, 'relu') or Activation('relu')"
_LOSS_BY_NAME = "losses are given by name, as in Network(layers, loss='huber'), or of fastnn.losses"

#: The answers to attributes, by the class that lacks them.
ATTRIBUTES: dict[str, Rows] = {
    "Network": rows(
        ("compile", _COMPILES, "k"),
        ("add append pop", _LAYERS_ONCE, "kt"),
        ("train eval", _NO_MODE, "t"),
        (
            "forward call",
            "net.predict(X), net.predict_proba(X), or net.activations(X)[-1] for the outputs",
            "kt",
        ),
        ("predict_classes", "net.predict(X) gives labels", "k"),
        ("predict_on_batch", "net.predict(X) takes any number of rows", "k"),
        ("score", "net.evaluate(X, y)['accuracy'], or fastnn.metrics.r2(y, net.predict(X))", "s"),
        ("decision_function", "net.predict_proba(X) gives probabilities", "s"),
        ("predict_log_proba", "np.log(net.predict_proba(X))", "s"),
        ("get_weights state_dict", "net.parameters maps names like 'W1' to arrays", "kt"),
        (
            "set_weights load_state_dict",
            "net.set_parameters({'W1': …, …}) takes all of them, and net.parameters['W1'] = … one",
            "kt",
        ),
        ("weights trainable_weights coefs_ intercepts_", "net.parameters['W1'], ['b1'], …", "ks"),
        ("trainable_variables named_parameters", "net.parameters, a mapping of arrays", "kt"),
        ("count_params num_parameters", "sum(p.size for p in net.parameters.values())", "k"),
        (
            "zero_grad backward step",
            "net.fit trains, and net.cost_and_gradients(X, y) returns gradients",
            "t",
        ),
        ("train_on_batch partial_fit", "net.fit(X, y, epochs=1), which goes on each time", "ks"),
        ("fit_generator", "net.fit(X, y) takes arrays, memory maps and HDF5 data sets", "k"),
        ("to cuda cpu device", "networks run on the CPU, as float32 or by dtype='float64'", "t"),
        ("load load_weights", "fastnn.load(path) returns the network of a file", "k"),
        ("save_weights", "net.save(path)", "k"),
        ("get_config to_json", "net.save(path) writes description and weights", "k"),
        ("get_params set_params", "fastnn.MLPClassifier has scikit-learn's interface", "s"),
        ("loss_curve_", "net.history['cost']", "s"),
        ("optimizer", "the optimiser is given to fit", "k"),
        ("input_shape", "net.inputs is the number of features", "k"),
        ("output_shape", "net.outputs is the number of outputs", "k"),
        ("get_layer", "net.layers is a tuple of layers", "k"),
        ("describe info", "print(net.summary())", "kt"),
    ),
    "History": rows(
        ("history", "a History is the mapping itself, as in history['cost']", "k"),
        ("epoch", "history.epochs is their number", "k"),
        ("losses loss loss_curve_", "history['cost']", "ks"),
        ("accuracy acc", "history['accuracy']", "k"),
        ("val_loss validation_scores_", "history['validation_cost']", "ks"),
        ("val_accuracy", "history['validation_accuracy']", "k"),
        ("plot", "fastnn.plot.history(history)", "k"),
        ("params", "net.layers and net.history tell what was trained", "k"),
    ),
}
#: The answers to objects that are called, by their class.
CALLED: dict[str, Rows] = {
    "Network": rows(
        (
            "()",
            "net.predict(X) gives labels or values, net.predict_proba(X) probabilities, and "
            "net.activations(X)[-1] the last layer's outputs",
            "kt",
        ),
    ),
    "Parameters": rows(
        (
            "()",
            "net.parameters is a mapping of names to arrays, and an optimiser is given to fit: "
            "net.fit(X, y, optimizer=fastnn.Adam(learning_rate=0.01))",
            "t",
        ),
    ),
}
#: The answers to names that a module lacks; all modules of fastnn share them.
IMPORTS: Rows = rows(
    ("Sequential Model Module", "Network", "kt"),
    (
        "SGD",
        "plain SGD is GradientDescent(learning_rate), and Momentum(learning_rate, beta) averages "
        "slopes, so that its step is (1−β) times the one of Keras and PyTorch",
        "kt",
    ),
    ("Nadam Adagrad Adadelta Adamax RAdam Lion", "Adam, AdamW and RMSprop are there", "kt"),
    ("RMSProp", "RMSprop", "k"),
    ("L_BFGS", "LBFGS", "t"),
    ("BatchNormalization BatchNorm1d BatchNorm2d LazyBatchNorm1d", "BatchNorm", "kt"),
    ("Linear LazyLinear", "Dense", "t"),
    ("ReLU LeakyReLU Sigmoid Tanh Softmax GELU SiLU ELU SELU Identity", _CHOSEN_BY_NAME, "kt"),
    ("Conv1D Conv2D Conv2d LSTM GRU RNN Embedding MultiHeadAttention", _DENSE_ALONE, "kt"),
    ("MaxPooling2D LayerNorm LayerNormalization", _DENSE_ALONE, "kt"),
    ("Flatten", "fastnn.data.flatten_images(X), before fit", "kt"),
    ("Input InputLayer", "Network(layers, inputs=…), or the first fit, says how many", "k"),
    ("StandardScaler", "Normalization() as the first layer, or fastnn.data.Standardizer", "s"),
    ("MinMaxScaler", "Rescaling(1/255) as the first layer, or fastnn.data.Standardizer", "s"),
    (
        "MSELoss BCELoss CrossEntropyLoss L1Loss HuberLoss NLLLoss BCEWithLogitsLoss",
        _LOSS_BY_NAME,
        "t",
    ),
    ("MeanSquaredError MeanAbsoluteError BinaryCrossentropy", _LOSS_BY_NAME, "k"),
    ("CategoricalCrossentropy SparseCategoricalCrossentropy", _LOSS_BY_NAME, "k"),
    ("ModelCheckpoint", "fastnn.callbacks.Checkpoint", "k"),
    ("ReduceLROnPlateau", "fastnn.schedules.Plateau, which fit takes as schedule=", "kt"),
    ("LearningRateScheduler LambdaLR", "a class of fastnn.schedules, by fit's schedule=", "kt"),
    ("CosineAnnealingLR CosineDecay", "fastnn.schedules.Cosine", "kt"),
    ("StepLR", "fastnn.schedules.Step", "t"),
    ("ExponentialLR ExponentialDecay", "fastnn.schedules.Exponential", "kt"),
    ("OneCycleLR", "fastnn.schedules.OneCycle", "t"),
    ("TerminateOnNaN", "a fit ends by itself with DivergenceError", "k"),
    ("LambdaCallback", "any function of (network, history) is a callback", "k"),
    ("to_categorical", "fastnn.data.one_hot, though labels 0 … K−1 do as they are", "k"),
    ("train_test_split", "fastnn.data.split", "s"),
    ("accuracy_score", "fastnn.metrics.accuracy", "s"),
    ("f1_score", "fastnn.metrics.f1", "s"),
    ("precision_score", "fastnn.metrics.precision", "s"),
    ("recall_score", "fastnn.metrics.recall", "s"),
    ("roc_auc_score", "fastnn.metrics.roc_auc", "s"),
    ("r2_score", "fastnn.metrics.r2", "s"),
    ("mean_squared_error", "fastnn.metrics.mse", "s"),
    ("mean_absolute_error", "fastnn.metrics.mae", "s"),
    ("load_model", "fastnn.load(path)", "k"),
    ("save_model", "net.save(path)", "k"),
    ("manual_seed set_seed set_random_seed", "Network(layers, seed=0)", "kt"),
    ("autocast amp", "Network(layers, precision='mixed')", "t"),
    ("mixed_precision", "Network(layers, precision='mixed')", "k"),
    ("tensor Tensor", "networks take NumPy arrays, and tensors as they are", "t"),
    ("DataLoader TensorDataset", "net.fit(X, y) takes whole arrays, batch_size= divides them", "t"),
    ("nn optim keras models", "names stand in fastnn itself, as fastnn.Network", "kt"),
)
