"""What processes use, read from ``/proc``: processor time, memory, threads, descriptors; zero where there is none."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
# Fields of /proc/PID/stat, counted after the name in brackets, which may hold anything.
_PARENT, _USER, _SYSTEM, _THREADS = 1, 11, 12, 17


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process or several: seconds of processor time since their start, megabytes (10^6) of resident memory."""

    cpu_s: float = 0.0
    rss_mb: float = 0.0
    threads: int = 0
    fds: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_s + other.cpu_s, self.rss_mb + other.rss_mb, self.threads + other.threads, self.fds + other.fds
        )


def usage_of(pid: int) -> Usage:
    """Usage of a process; all zero if it is gone."""
    try:
        fields = _stat_fields(pid)
        pages = int((_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1])
        fds = len(os.listdir(_PROC / str(pid) / "fd"))
    except (OSError, IndexError):
        return Usage()
    cpu_s = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_S
    return Usage(cpu_s, pages * _PAGE_MB, int(fields[_THREADS]), fds)


def descendants(pid: int) -> list[int]:
    """Children of a process, their children, and so on."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in _PROC.glob("[0-9]*"):
        try:
            children[int(_stat_fields(int(entry.name))[_PARENT])].append(int(entry.name))
        except (OSError, IndexError):
            continue  # gone meanwhile
    found: list[int] = []
    waiting = [pid]
    while waiting:
        young = children[waiting.pop()]
        found += young
        waiting += young
    return found


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Seconds of all cores together since the machine's start; ``stolen_s`` went to its host's other guests."""

    busy_s: float = 0.0
    stolen_s: float = 0.0
    total_s: float = 0.0


def machine_time() -> MachineTime:
    """What all cores did so far."""
    try:
        first = (_PROC / "stat").read_text(encoding="ascii").splitlines()[0].split()
    except (OSError, IndexError):
        return MachineTime()
    user, nice, system, idle, waiting, interrupts, soft, stolen = (int(ticks) / _TICKS_PER_S for ticks in first[1:9])
    busy_s = user + nice + system + interrupts + soft
    return MachineTime(busy_s, stolen, busy_s + idle + waiting + stolen)


def _stat_fields(pid: int) -> list[str]:
    text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()
