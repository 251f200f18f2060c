"""Writes what Unreal Header Tool would: the .generated.h files that a compiler needs to read the plugin's headers.

Only the part that the language sees: ``Super``, ``ThisClass``, ``StaticClass`` and ``StaticStruct``, for each
GENERATED_BODY() by its line, as in the engine. Nothing is reflected.
"""

from __future__ import annotations

import re
from pathlib import Path

_TYPE = re.compile(r"^(?P<kind>class|struct)\s+(?:\w+_API\s+)?(?P<name>\w+)\s*(?::\s*public\s+(?P<base>\w+))?[^;]*$")
_MACRO = re.compile(r"^(UCLASS|USTRUCT|UENUM)\(")


def write_generated_header(header: Path, folder: Path) -> Path | None:
    """Write ``<name>.generated.h`` of a header to a folder; None for a header that has no reflected types."""
    lines = header.read_text(encoding="utf-8").splitlines()
    if not any(_MACRO.match(line) for line in lines):
        return None
    file_id = f"FID_{header.stem}"
    output = ['#include "UObject/ObjectMacros.h"', "#undef CURRENT_FILE_ID", f"#define CURRENT_FILE_ID {file_id}"]
    kind, name, base = "", "", None
    for number, line in enumerate(lines, start=1):
        if match := _TYPE.match(line):
            kind, name, base = match["kind"], match["name"], match["base"]
        elif line.strip().startswith("GENERATED_BODY("):
            members = ["public:", f"typedef {name} ThisClass;"]
            if base:
                members.append(f"typedef {base} Super;")
            if kind == "class":
                members += ["static class UClass* StaticClass() { return nullptr; }", "private:"]
            else:
                members.append("static class UScriptStruct* StaticStruct() { return nullptr; }")
            output.append(f"#define {file_id}_{number}_GENERATED_BODY {' '.join(members)}")
    path = folder / f"{header.stem}.generated.h"
    path.write_text("\n".join(output) + "\n", encoding="utf-8")
    return path
