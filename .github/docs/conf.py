"""Settings of the documentation site; README.md beside this file says how its pages are written."""

import os
import sys
from pathlib import Path

import fastnn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_extensions"))
os.environ.pop("MPLBACKEND", None)  # blocks draw on the page: with Agg they would draw nothing
# Shell blocks call `fastnn`, which stands beside the Python that builds the site.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

project = "fastnn"
author = "The fastnn developers"
copyright = "The fastnn developers, MIT License"
version = release = fastnn.__version__

extensions = [
    "fences",
    "links",
    "reference",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["README.md", "gallery", "pictures/**/*.ipynb"]
default_role = "py:obj"  # docstrings name functions and classes between single backticks

# Pages: MyST markdown, whose Python and console blocks run while the site is built.
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_show_tb = True  # a block that fails is a warning, and `sphinx-build -W` an error
nb_execution_timeout = 120
nb_merge_streams = True

# Docstrings, in NumPy's style.
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the docstrings
numpydoc_show_class_members = False  # methods have entries of their own

# The gallery: each program is run, and its picture stands above its code.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "pictures",
    "subsection_order": ["gallery/training", "gallery/predictions", "gallery/diagnoses"],
    "within_subsection_order": "FileNameSortKey",
    "filename_pattern": r"/plot_",
    "matplotlib_animations": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 3600,
    "download_all_examples": False,
    "parallel": True,
    "reference_url": {"fastnn": None},
    "doc_module": ("fastnn",),
    "backreferences_dir": "pictures/by_name",
}

html_theme = "furo"
html_title = "fastnn"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
