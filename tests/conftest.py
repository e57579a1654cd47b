"""Makes a bare checkout importable: `fastnn.kernels` is the folder `kernels/` beside `fastnn/`."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class _KernelsFinder:
    """Finds `fastnn.kernels` in the checkout when no installed fastnn holds it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "fastnn.kernels":
            return None
        init = ROOT / "kernels" / "__init__.py"
        return importlib.util.spec_from_file_location(
            name, init, submodule_search_locations=[str(init.parent)]
        )


if importlib.util.find_spec("fastnn") is None:
    sys.path.insert(0, str(ROOT))
sys.meta_path.append(_KernelsFinder)  # last: asked only when nothing else knows the name
