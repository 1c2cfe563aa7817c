"""Imports point downward only: the layers of the package, from bottom to top."""

import ast
from pathlib import Path

import wyner

PACKAGE = Path(wyner.__file__).parent
LAYERS = [
    ("errors",),
    ("image", "orientation", "pil_modes"),
    ("_native",),
    ("coder", "container", "set_container"),
    ("metrics", "io", "png16", "pnm"),
    ("nn", "reference"),
    ("codecs",),
    ("api", "facts", "framing", "sets"),
    ("bench", "batch", "train"),
    ("cli", "pillow"),
    ("__main__",),
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# The package itself gives names of ``api`` to users only; inside, it stands for its version number.
BUILD_ON = (
    ("codecs.side", "codecs.overfit"),
    ("codecs.distributed", "codecs.learned"),
    ("codecs.shared", "codecs.overfit"),
)


def _modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        if parts != ["__init__"]:
            yield path, parts[:-1] if parts[-1] == "__init__" else parts, parts[-1] == "__init__"


def _imported(path, parts, is_package):
    """Module paths inside the package, as lists of names, that a module imports anywhere in its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("wyner."):
                    yield alias.name.split(".")[1:]
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                package = parts if is_package else parts[:-1]
                base = package[: len(package) - node.level + 1] + module
            elif module[:1] == ["wyner"]:
                base = module[1:]
            else:
                continue
            if base:
                yield base
            else:
                yield from ([alias.name] for alias in node.names if alias.name != "__version__")


def test_every_module_has_a_layer():
    assert {parts[0] for _, parts, _ in _modules()} <= set(RANK)


def test_imports_point_downward():
    wrong = []
    for path, parts, is_package in _modules():
        for target in _imported(path, parts, is_package):
            if RANK[target[0]] > RANK[parts[0]]:
                wrong.append(f"{'.'.join(parts)} imports {'.'.join(target)}")
    assert not wrong, wrong


def test_codecs_do_not_import_each_other():
    wrong = []
    for path, parts, is_package in _modules():
        mine = ".".join(parts[:2])
        for target in _imported(path, parts, is_package):
            theirs = ".".join(target[:2])
            is_codec = (PACKAGE / "codecs" / target[-1]).is_dir() or len(target) > 2
            if parts[0] == target[0] == "codecs" and len(parts) > 1 and len(target) > 1 and is_codec:
                if mine != theirs and (mine, theirs) not in BUILD_ON:
                    wrong.append(f"{mine} imports {theirs}")
    assert not wrong, wrong


def test_torch_is_imported_only_where_it_may_be():
    allowed = {"nn", "train", "bench"}
    learned = {"codecs.learned", "codecs.distributed", "codecs.side", "codecs.shared"}
    metrics = {"metrics.lpips", "metrics.lpips_weights"}
    for path, parts, _ in _modules():
        if parts[0] in allowed or ".".join(parts[:2]) in learned | metrics:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert not any(name.split(".")[0] == "torch" for name in names), path
