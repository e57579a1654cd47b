"""Names given as text: synonyms that are accepted, and those that mean something else here."""

from __future__ import annotations

from .rows import Rows, rows

#: What is accepted, by noun: our name for the same thing. Case, hyphens and blanks do not count.
SYNONYMS: dict[str, Rows] = {
    "activation": rows(
        ("linear", "identity", "kt"),
        ("swish", "silu", "kt"),
        ("leakyrelu", "leaky_relu", "kt"),
        ("logistic", "sigmoid", "s"),
        ("exponential", "exp", "k"),
    ),
    "loss": rows(
        ("mae mean_absolute_error", "absolute_error", "ks"),
        ("l1 l1_loss l1loss", "absolute_error", "t"),
        ("bce bce_loss bceloss", "binary_cross_entropy", "t"),
        ("binary_crossentropy binarycrossentropy", "binary_cross_entropy", "k"),
        ("categorical_crossentropy categoricalcrossentropy", "categorical_cross_entropy", "k"),
        ("sparse_categorical_crossentropy", "categorical_cross_entropy", "k"),
        ("huber_loss huberloss", "huber", "kt"),
        ("smooth_l1 smooth_l1_loss smoothl1loss", "huber", "t"),
        ("pinball pinball_loss", "quantile", "s"),
    ),
    "initialiser": rows(
        ("glorot_uniform", "glorot", "k"),
        ("xavier_uniform xavier_uniform_", "glorot", "t"),
        ("he_normal", "he", "k"),
        ("kaiming_normal kaiming_normal_", "he", "t"),
        ("lecun_normal", "lecun", "k"),
        ("orthogonal_", "orthogonal", "t"),
        ("zeros_", "zeros", "t"),
    ),
    "optimizer": rows(
        ("sgd gd", "GradientDescent", "kt"),
        ("gradient_descent", "GradientDescent", "k"),
        ("l_bfgs", "LBFGS", "ts"),
    ),
    "metric": rows(
        ("acc", "accuracy", "k"),
        ("auc rocauc", "roc_auc", "ks"),
        ("mean_absolute_error", "mae", "ks"),
        ("mean_squared_error", "mse", "ks"),
        ("accuracy_score", "accuracy", "s"),
        ("f1_score f1score", "f1", "ks"),
        ("precision_score", "precision", "s"),
        ("recall_score", "recall", "s"),
        ("r2_score r2score", "r2", "ks"),
        ("roc_auc_score", "roc_auc", "s"),
    ),
    "curve": rows(
        ("loss", "cost", "kt"),
        ("acc", "accuracy", "k"),
        ("val_loss", "validation_cost", "k"),
        ("val_accuracy val_acc", "validation_accuracy", "k"),
    ),
}

#: The partner of the output's activation: what one word means for two losses.
CROSS_ENTROPY = rows(
    ("cross_entropy cross_entropy_loss crossentropyloss crossentropy", "cross_entropy", "t"),
    ("log_loss", "cross_entropy", "s"),
)

_HALF = (
    "mean((ŷ−y)²) is twice our loss: take 'squared_error', ½(ŷ−y)² summed over outputs, which has "
    "the same minimum, half the cost and half the gradient, and record the other by "
    "metrics=['mse']"
)
#: What is refused, by noun, and what to take instead.
REFUSED: dict[str, Rows] = {
    "activation": rows(
        ("log_softmax", "take 'softmax', whose cost is computed from the logits", "kt"),
        ("relu6 hard_sigmoid hardswish softsign", "activations.register adds one", "kt"),
        ("None none", "leave it out, or give 'identity'", "ks"),
    ),
    "loss": rows(
        ("mse mean_squared_error", _HALF, "ks"),
        ("mseloss mse_loss", _HALF, "t"),
        (
            "l2 rmse root_mean_squared_error",
            "take 'squared_error', whose minimum is the same, and the root of metrics.mse",
            "ks",
        ),
        ("nll nll_loss nllloss", "take 'categorical_cross_entropy' with a softmax output", "t"),
        (
            "bcewithlogitsloss bce_with_logits",
            "take 'binary_cross_entropy' with a sigmoid output, computed from the logits",
            "t",
        ),
        (
            "kl_divergence kldivloss kld",
            "take 'categorical_cross_entropy' with probabilities as y, whose gradient is the same",
            "kt",
        ),
    ),
    "initialiser": rows(
        ("glorot_normal xavier_normal xavier_normal_", "take 'glorot', of the same variance", "kt"),
        ("he_uniform kaiming_uniform kaiming_uniform_", "take 'he', of the same variance", "kt"),
        ("lecun_uniform", "take 'lecun', of the same variance", "k"),
        (
            "normal random_normal normal_ truncated_normal uniform random_uniform uniform_",
            "take initializers.Random(scale=0.05), normal numbers of that deviation",
            "kt",
        ),
    ),
    "optimizer": rows(
        ("nadam adamax radam amsgrad", "take Adam(), their common ancestor", "kt"),
        (
            "adagrad adadelta lion ftrl",
            "take RMSprop() or Adam(), or make it by fastnn.optimizers.register",
            "kt",
        ),
    ),
    "metric": rows(
        ("rmse root_mean_squared_error", "take 'mse', its square", "ks"),
        (
            "mape mean_absolute_percentage_error",
            "take 'mae', or make it by fastnn.metrics.register",
            "ks",
        ),
        ("cross_entropy crossentropy loss", "take 'log_loss'", "kt"),
        ("balanced_accuracy", "take 'recall_macro', the same number", "s"),
    ),
}
