"""The step-by-step notebook's activations, under the file name of their second version."""

from .dnn_utils import *  # noqa: F403 - all that the module offers
from .dnn_utils import __all__ as __all__
