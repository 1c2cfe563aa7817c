"""The HTML file: template, style and script in one; a browser needs nothing else and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from string import Template

SCRIPTS = (
    "dom", "data", "scale", "chart", "legend", "plot", "pictures", "viewer", "compare", "bdtable", "records",
    "notes", "main",
)  # fmt: skip
"""Modules under assets/, each after those that it imports."""

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


def bundle(sources: Mapping[str, str]) -> str:
    """One script of ES modules by name, in order, that import named exports of earlier ones and nothing else.

    Each module becomes a function of its own, so that names do not meet. Raises ValueError for an import or
    export of another form.
    """
    parts = ['"use strict";']
    for name, source in sources.items():
        body = _IMPORT.sub(lambda m: f"const {{{m[1]}}} = {m[2]}_module;", source)
        exports = _EXPORT.findall(body)
        body = _EXPORT.sub("", body)
        if re.search(r"^(import|export)\b", body, re.MULTILINE):
            raise ValueError(f"{name}.js: only named imports and exports of declarations can be put together")
        parts.append(f"const {name}_module = (() => {{\n{body}\nreturn {{{', '.join(exports)}}};\n}})();")
    return "\n".join(parts)


def asset(name: str) -> str:
    """Text of a file under assets/."""
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def assemble(values: Mapping[str, str], data: str, pictures: Iterable[str]) -> str:
    """The whole page. ``values`` are texts of the template, escaped here; ``data`` is the JSON block.

    The content policy lets run only this style and this script, by their hashes, and show only pictures of
    the page itself: whatever a record holds, the page can ask the network for nothing.
    """
    script, style = bundle({name: asset(f"{name}.js") for name in SCRIPTS}), asset("style.css")
    blocks = "\n".join(
        f'<script type="text/plain" id="picture-{index}">{uri}</script>' for index, uri in enumerate(pictures)
    )
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return Template(asset("page.html")).substitute(
        {key: escape(value) for key, value in values.items()},
        policy=policy,
        style=style,
        script=script,
        data=data,
        pictures=blocks,
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
