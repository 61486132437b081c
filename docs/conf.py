"""How the pages become a site: ``make site``.

The source folder is the checkout itself, so that a link such as ``../formats/mana-v2.md`` leads to the same page on the
site, on a code host, and in an editor. Nothing in a built page is fetched from elsewhere (``tests/docs/test_site.py``).
"""

from __future__ import annotations

import builtins
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
# What a docstring's default says must not depend on who builds it.
os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")

from docutils import nodes  # noqa: E402
from sphinx import addnodes  # noqa: E402

import manabackup  # noqa: E402

project = "manabackup"
author = "the manabackup authors"
release = version = manabackup.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "formats/*.md", "benchmarks/README.md"]
# What Sphinx is not to walk through, however large it is.
exclude_patterns = [".*", "build", "dist", "fixtures", "manabackup", "tests", "manabackup-demo*"]
myst_heading_anchors = 4  # #names of headings, as code hosts make them
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["misc.highlighting_failure"]  # shortened outputs that are no valid JSON

html_theme = "furo"
html_title = f"manabackup {release}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "#"
templates_path = ["_site/templates"]
html_additional_pages = {"index": "to-the-pages.html"}  # where somebody looks first

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "undoc-members": False}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

LIBRARY = ROOT / "docs" / "generated" / "library.rst"
_LIBRARY_BEGINNING = """\
Library reference
=================

Every public name of ``manabackup``, from its docstring. How they go together is in :doc:`/docs/library`.

"""


def library_reference() -> str:
    """The page of all public names, for autodoc: functions, what they take and give, constants, errors."""
    functions, classes, constants = [], [], []
    for name in manabackup.__all__:
        found = getattr(manabackup, name)
        if inspect.isclass(found):
            classes.append(f".. autoclass:: manabackup.{name}\n")
        elif inspect.isroutine(found):
            functions.append(f".. autofunction:: manabackup.{name}\n")
        elif not inspect.ismodule(found):
            constants.append(f".. py:data:: manabackup.{name}\n   :value: {found!r}\n")
    errors = [f".. autoexception:: manabackup.errors.{error.__name__}\n   :show-inheritance:\n" for error in _errors()]
    chapters = {"Functions": functions, "Classes": classes, "Constants": constants, "Errors": errors}
    return _LIBRARY_BEGINNING + "\n".join(
        f"{title}\n{'-' * len(title)}\n\n" + "\n".join(parts) for title, parts in chapters.items()
    )


def _errors() -> Iterator[type[manabackup.errors.ManabackupError]]:
    for found in vars(manabackup.errors).values():
        if inspect.isclass(found) and issubclass(found, manabackup.errors.ManabackupError):
            yield found


# Pages that list others in a table or as links, which on a code host is all they need.
_LISTS = {"docs/decisions/README": "[0-9]*", "docs/errors/README": "[a-z]*"}


def _list_what_is_below(app: Any, docname: str, source: list[str]) -> None:
    if pattern := _LISTS.get(docname):
        source[0] += f"\n```{{toctree}}\n:hidden:\n:glob:\n\n{pattern}\n```\n"


def _lead_to_what_is_meant(app: Any, doctree: Any) -> None:
    """``bytes`` in a signature is the type, and not an attribute of that name; errors are those of ``errors``."""
    known = {error.__name__: f"manabackup.errors.{error.__name__}" for error in _errors()}
    for reference in list(doctree.findall(addnodes.pending_xref)):
        target = reference.get("reftarget", "")
        if hasattr(builtins, target):
            reference.replace_self(nodes.Text(target))
        elif reference.get("refdomain") == "py":
            reference["reftarget"] = known.get(target, target)


def _say_the_language(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    if pagename.startswith("docs/de/"):
        context["language"] = "de"


def setup(app: Any) -> None:
    """Writes the page that autodoc fills, and adds what pages do not say themselves."""
    LIBRARY.parent.mkdir(exist_ok=True)
    text = library_reference()
    if not LIBRARY.exists() or LIBRARY.read_text("utf-8") != text:
        LIBRARY.write_text(text, "utf-8")
    app.connect("source-read", _list_what_is_below)
    app.connect("doctree-read", _lead_to_what_is_meant)
    app.connect("html-page-context", _say_the_language)
