"""Moves modules by a list, and rewrites what names them. `python -m tests.tools.move LIST` in a clean checkout.

LIST has a line `old new` for each file, as paths from the root. Imports are rewritten by their syntax; dotted names and
paths wherever they stand: in strings of tests, settings and documents. The changelog tells of what was, and stays.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.sources import APPS, ROOT

DOTTED = re.compile(rf"(?<![\w./])(?:{'|'.join(APPS)})(?:\.\w+)+")
SLASHED = re.compile(rf"(?<![\w./-])(?:{'|'.join(APPS)})(?:/[\w-]+)+(?:\.py)?")
KEPT = re.compile("\0(\\d+)\0")


def tracked() -> list[str]:
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


def module_of(path: str) -> str:
    parts = Path(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Moves:
    """The list, and what becomes of names by it."""

    def __init__(self, text: str, known: list[str]):
        self.paths = dict(line.split() for line in text.splitlines() if line)
        self.modules = {module_of(old): module_of(new) for old, new in self.paths.items()}
        self.known = {module_of(path) for path in known if path.endswith(".py")}

    def name(self, dotted: str) -> str:
        """The dotted name as it is then: the longest module in it that moves, and what stands behind that."""
        parts = dotted.split(".")
        for length in range(len(parts), 1, -1):
            module = ".".join(parts[:length])
            if module in self.modules:
                return ".".join([self.modules[module], *parts[length:]])
            if module in self.known:
                return dotted
        return dotted

    def texts(self, text: str) -> str:
        """Dotted names and paths, wherever they stand."""
        text = DOTTED.sub(lambda match: self.name(match[0]), text)
        return SLASHED.sub(lambda match: self.paths.get(match[0], match[0]), text)

    def source(self, text: str, *, all_names: bool) -> str:
        """Imports, and with `all_names` the other names. New imports stand aside meanwhile: a folder may then have the
        name of a module of today."""
        lines, aside = text.splitlines(keepends=True), []
        for node, new in sorted(self._imports(ast.parse(text)), key=lambda edit: -edit[0].lineno):
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            head = lines[first].encode()[: node.col_offset].decode()
            tail = lines[last].encode()[node.end_col_offset :].decode()
            aside.append(new)
            lines[first : last + 1] = (head + f"\0{len(aside) - 1}\0" + tail).splitlines(keepends=True)
        text = "".join(lines)
        return KEPT.sub(lambda match: aside[int(match[1])], self.texts(text) if all_names else text)

    def _imports(self, tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
        """Yields each import that changes, with what stands there then."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import) and any(self.name(one.name) != one.name for one in node.names):
                names = [self.name(one.name) + (f" as {one.asname}" if one.asname else "") for one in node.names]
                yield node, "import " + ", ".join(names)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in APPS:
                groups: dict[str, list[str]] = {}
                for one in node.names:
                    module, _, name = self.name(f"{node.module}.{one.name}").rpartition(".")
                    alias = one.asname or (one.name if name != one.name else "")
                    groups.setdefault(module, []).append(name + (f" as {alias}" if alias else ""))
                if set(groups) != {node.module}:
                    lines = [f"from {module} import {', '.join(names)}" for module, names in groups.items()]
                    yield node, ("\n" + " " * node.col_offset).join(lines)


def main(file: str) -> None:
    known = tracked()
    moves = Moves(Path(file).read_text(encoding="utf-8"), known)
    for path in known:
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.endswith(".py"):
            new = moves.source(text, all_names="/migrations/" not in path)
        else:
            new = text if path in ("CHANGELOG.md", file) else moves.texts(text)
        if new != text:
            (ROOT / path).write_text(new, encoding="utf-8")
    for old, new in moves.paths.items():
        folder = (ROOT / new).parent
        folder.mkdir(parents=True, exist_ok=True)
        if not new.endswith("__init__.py"):
            (folder / "__init__.py").touch()
        subprocess.run(["git", "mv", "-f", old, new], cwd=ROOT, check=True)
    subprocess.run(["git", "add", "--all"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main(sys.argv[1])
