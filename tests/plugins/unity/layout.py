"""Where the C compiler puts the fields of the structs in posebridge.h."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def structs_of(header: str) -> dict[str, list[str]]:
    """Return the fields of each struct, in order, both without the prefix ``posebridge_``."""
    bare = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    found: dict[str, list[str]] = {}
    for name, body in re.findall(r"typedef struct posebridge_(\w+) \{(.*?)\} posebridge_\w+;", bare, re.DOTALL):
        fields: list[str] = []
        for declaration in filter(None, (part.strip() for part in body.split(";"))):
            for declarator in declaration.split(","):
                field = re.search(r"(\w+)\s*(?:\[[^]]*\])*$", declarator.strip())
                assert field is not None, declaration
                fields.append(field.group(1))
        found[name] = fields
    return found


def write_layout(header: Path, compiler: str, folder: Path) -> Path:
    """Write lines of "struct field offset" and "struct - size" to a file, return it."""
    lines = ["#include <stdio.h>", '#include "posebridge.h"', "int main(void) {"]
    for struct, fields in structs_of(header.read_text(encoding="utf-8")).items():
        kind = f"posebridge_{struct}"
        lines.append(f'  printf("{struct} - %zu\\n", sizeof({kind}));')
        lines += [f'  printf("{struct} {field} %zu\\n", offsetof({kind}, {field}));' for field in fields]
    lines += ["  return 0;", "}"]
    source, program, result = folder / "layout.c", folder / "layout", folder / "layout.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run([compiler, "-I", str(header.parent), "-o", str(program), str(source)], check=True)
    result.write_text(subprocess.run([program], check=True, capture_output=True, text=True).stdout, encoding="utf-8")
    return result
