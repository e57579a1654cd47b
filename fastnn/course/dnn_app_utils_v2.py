"""The cat notebook's helpers, under the file name of their second version."""

from .dnn_app_utils import *  # noqa: F403 - all that the module offers
from .dnn_app_utils import __all__ as __all__
