"""Keywords that users of other libraries give, by the callable or the kind of callable."""

from __future__ import annotations

from .rows import Rows, rows

_RATE = "the rate belongs to the optimiser: optimizer=fastnn.Adam(learning_rate=0.01)"
_THREADS = "fastnn.set_num_threads(n) says how many threads all fits may use"
_WIDTH = (
    "the number of features stands in Network(layers, inputs=…), or is taken from X at the first "
    "fit"
)
_STOPPING = "fit takes callbacks=[fastnn.callbacks.EarlyStopping(patience=10)]"
_DECAY = (
    "optimizer=fastnn.AdamW(weight_decay=0.01) shrinks the weights, and fit's l2=λ adds "
    "λ/(2m)·Σ‖W‖² to the cost"
)
_WHOLE = "an epoch goes through all examples once, and all validation data are scored after it"
_SILENT = "predictions show no progress"
_BLOCKS = "rows are read block by block, and the result does not depend on it"
_IN_FIT = "it is given to fit"

#: The answers to unknown keywords, by the callable's name, and by kinds of callables.
KEYWORDS: dict[str, Rows] = {
    "Network": rows(
        ("input_shape input_dim in_features n_features", "inputs", "kts"),
        ("optimizer metrics callbacks batch_size epochs", _IN_FIT, "k"),
        ("learning_rate lr", "it belongs to the optimiser, which is given to fit", "kts"),
        ("random_state random_seed", "seed", "s"),
        ("kernel_initializer weight_init initializer", "init", "k"),
        ("device", "networks run on the CPU", "t"),
        ("name", "layers may have names, as in Dense(8, name='hidden')", "k"),
        (
            "hidden_layer_sizes hidden sizes activation",
            "Network.mlp([n, 100, K], output='softmax', hidden='relu') makes one from its sizes",
            "s",
        ),
    ),
    "Network.mlp": rows(
        ("hidden_layer_sizes layers", "sizes", "s"),
        ("activation activations", "hidden is the hidden layers' and output the last one's", "s"),
        ("dropout_rate drop p", "dropout", "kt"),
        ("random_state", "seed", "s"),
        ("batch_normalization batchnorm", "batch_norm", "kt"),
        ("optimizer epochs batch_size learning_rate lr", _IN_FIT, "ks"),
    ),
    "Network.fit": rows(
        ("verbose", "progress=False is silent, and progress=True always shows a bar", "ks"),
        ("n_epochs num_epochs nb_epoch max_iter n_iter max_epochs", "epochs", "kts"),
        ("learning_rate lr learning_rate_init", _RATE, "kts"),
        ("momentum", "optimizer=fastnn.Momentum(learning_rate=0.01, beta=0.9)", "ts"),
        ("weight_decay", _DECAY, "kt"),
        ("alpha", "l2 is λ of λ/(2m)·Σ‖W‖², which scikit-learn's alpha is too", "s"),
        ("loss criterion", "the loss belongs to the network: Network(layers, loss=…)", "kt"),
        ("validation_set val_data eval_set", "validation_data", "kt"),
        ("X_val y_val x_val", "validation_data=(X_val, y_val)", "s"),
        ("x", "X", "k"),
        ("early_stopping patience", _STOPPING, "ks"),
        ("steps_per_epoch validation_steps validation_freq validation_batch_size", _WHOLE, "k"),
        (
            "initial_epoch warm_start",
            "a fit goes on where the last one stopped, and net.reset() starts anew",
            "ks",
        ),
        ("bs mini_batch_size", "batch_size", "t"),
        ("seed random_state", "it belongs to the network: Network(layers, seed=0)", "s"),
        ("scheduler lr_scheduler", "schedule", "t"),
        ("clipnorm max_grad_norm gradient_clip_val", "clip_norm", "kt"),
        ("clipvalue", "clip_value", "k"),
        ("device", "networks run on the CPU", "t"),
        ("n_jobs workers use_multiprocessing num_workers", _THREADS, "kts"),
    ),
    "Network.predict": rows(
        ("verbose", _SILENT, "k"),
        ("batch_size steps", _BLOCKS, "k"),
        ("decision_threshold cutoff", "threshold", "s"),
        ("x", "X", "k"),
    ),
    "Network.predict_proba": rows(
        ("verbose", _SILENT, "k"),
        ("batch_size steps", _BLOCKS, "k"),
        ("threshold", "net.predict(X, threshold=0.3) takes it", "s"),
        ("x", "X", "k"),
    ),
    "Network.evaluate": rows(
        ("verbose return_dict", "it returns a dict of numbers and shows no progress", "k"),
        ("batch_size steps", _BLOCKS, "k"),
        ("sample_weight", "fastnn.metrics take weights, as in metrics.accuracy", "k"),
        ("x", "X", "k"),
    ),
    "Dense": rows(
        ("input_shape input_dim in_features batch_input_shape", _WIDTH, "kt"),
        ("out_features", "units", "t"),
        ("bias", "use_bias", "t"),
        ("kernel_initializer initializer weight_init", "init", "k"),
        ("bias_initializer", "biases start at 0, and net.parameters['b1'] = … sets them", "k"),
        ("kernel_regularizer bias_regularizer activity_regularizer", "fit takes l2 and l1", "k"),
        ("kernel_constraint", "max_norm", "k"),
        ("dropout", "a Dropout(rate) layer follows the Dense", "k"),
        ("trainable", "all layers train", "k"),
    ),
    "Activation": rows(("activation", "function", "k")),
    "Dropout": rows(
        ("p", "rate is the share that is dropped, as PyTorch's p", "t"),
        ("keep_prob", "rate is the share that is dropped, 1 − keep_prob", "k"),
        ("seed", "masks follow from Network(layers, seed=…)", "k"),
        ("inplace", "it has no effect on results and is left out", "t"),
    ),
    "BatchNorm": rows(
        ("num_features axis", "features are the units of the layer before", "kt"),
        ("eps", "epsilon", "t"),
        ("affine center scale track_running_stats", "γ, β and running averages always are", "kt"),
    ),
    "GaussianNoise": rows(("std sigma", "stddev", "t")),
    "Normalization": rows(
        ("mean variance axis", "they are learnt from X at the first fit", "k"),
    ),
    "optimizer": rows(
        ("lr learning_rate_init alpha", "learning_rate", "kts"),
        ("beta_1", "beta1", "ks"),
        ("beta_2", "beta2", "ks"),
        ("betas", "beta1 and beta2 are two arguments, as in Adam(beta1=0.9, beta2=0.999)", "t"),
        ("eps", "epsilon", "t"),
        ("rho", "beta", "k"),
        (
            "momentum",
            "Momentum(learning_rate, beta) averages slopes, so that its step is (1−β) times the "
            "one of Keras and PyTorch",
            "kt",
        ),
        ("nesterov", "Nesterov(learning_rate, beta) is an optimiser of its own", "kt"),
        ("weight_decay", _DECAY, "kt"),
        ("decay", "fit takes schedule=fastnn.schedules.InverseTime(decay)", "k"),
        ("clipnorm global_clipnorm", "fit takes clip_norm", "k"),
        ("clipvalue", "fit takes clip_value", "k"),
        ("amsgrad", "the update is Adam's own, without AMSGrad's maximum", "kt"),
        ("params", "an optimiser holds settings alone: net.fit(X, y, optimizer=…)", "t"),
        ("max_iter", "an epoch is an iteration of L-BFGS: fit(X, y, epochs=…)", "t"),
        ("history_size", "memory", "t"),
        ("tolerance_grad tol", "tolerance", "ts"),
    ),
    "loss": rows(
        ("from_logits", "the cost is always computed from the logits of the output layer", "k"),
        ("reduction", "a cost is the mean over examples of the sum over outputs", "kt"),
        ("beta", "delta", "t"),
        ("weight pos_weight", "fit takes class_weight and sample_weight", "t"),
        ("quantile alpha", "q", "s"),
    ),
    "schedule": rows(
        ("gamma", "Exponential(rate), Step(every, factor) and Plateau(factor=…) name it so", "t"),
        ("step_size", "every", "t"),
        ("T_max decay_steps", "epochs", "kt"),
        ("total_steps steps_per_epoch", "epochs, with per='step', count in epochs", "t"),
        ("max_lr initial_learning_rate", "the rate is the optimiser's, and this a factor", "kt"),
        ("decay_rate", "Exponential(rate), or InverseTime(decay)", "k"),
        ("mode", "names of accuracies and scores rise, all others sink", "kt"),
        ("optimizer", "a schedule is given to fit beside the optimiser", "t"),
    ),
    "callback": rows(
        ("restore_best_weights", "restore_best", "k"),
        ("min_delta threshold", "every improvement counts, however small", "kt"),
        ("mode", "names of accuracies and scores rise, all others sink", "kt"),
        ("verbose", "the history tells, and the callback is silent", "kt"),
        ("filepath filename", "path", "k"),
        ("period save_freq", "every", "k"),
        (
            "save_best_only monitor",
            "EarlyStopping(monitor, restore_best=True) brings the best weights back, which "
            "net.save(path) writes after the fit",
            "k",
        ),
        ("append separator", "the file is CSV, and a fit that goes on continues it", "k"),
    ),
    "estimator": rows(
        ("epochs n_epochs n_iter", "max_iter", "k"),
        ("optimizer", "solver", "k"),
        ("lr", "learning_rate_init", "t"),
        ("hidden_units hidden layers sizes", "hidden_layer_sizes", "kt"),
        ("l2 weight_decay", "alpha", "kt"),
        ("dropout_rate", "dropout", "k"),
        ("beta1", "beta_1", "t"),
        ("beta2", "beta_2", "t"),
        ("eps", "epsilon", "t"),
        ("seed", "random_state", "t"),
        ("patience", "n_iter_no_change", "k"),
        ("progress", "verbose", "k"),
        ("validation_split", "early_stopping=True holds out validation_fraction", "k"),
        ("output output_activation", "the output follows from y", "k"),
    ),
    "estimator.fit": rows(
        ("validation_data eval_set", "X_val=… and y_val=… give the held-out rows", "k"),
        ("validation_split", "early_stopping=True and validation_fraction=0.1 do so", "k"),
        ("epochs", "max_iter of the estimator says how many", "k"),
        ("batch_size verbose callbacks class_weight", "it is a parameter of the estimator", "k"),
    ),
    "estimator.predict": rows(
        (
            "threshold",
            "predict_proba(X)[:, 1] > threshold, or scikit-learn's FixedThresholdClassifier, "
            "takes one",
            "k",
        ),
        ("verbose", _SILENT, "k"),
        ("batch_size", _BLOCKS, "k"),
    ),
}

#: The answers where an argument is missing, by the callable and the argument.
MISSING: dict[str, Rows] = {
    "Network.fit": rows(
        (
            "y",
            "X and y are two arrays of all examples, net.fit(X, y); a loader or generator of "
            "batches is not taken",
            "kt",
        ),
    ),
}
#: The answers where there are too many arguments by position.
POSITIONAL: dict[str, Rows] = {
    "Network": rows(("*", "give the layers as one list: Network([Dense(…), Dense(…)])", "t")),
}
