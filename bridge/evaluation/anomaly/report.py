"""The anomaly evaluation as tables and as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from bridge.evaluation.anomaly.results import AnomalyEvaluation, MethodResult
from bridge.evaluation.anomaly.run import OURS


def to_json(result: AnomalyEvaluation) -> dict[str, object]:
    """Plain numbers; None where there is none (a median delay that is infinite, a kind without frames)."""
    return {
        "overall": {
            "auroc": result.overall.auroc,
            "average_precision": result.overall.average_precision,
            "event_recall_at_12_per_hour": result.overall.recall,
            "delay_ms_median_abrupt": result.delay_ms_median_abrupt,
            "auroc_by_seed": list(result.auroc_by_seed),
            "auroc_by_surprise": result.by_surprise.auroc,
        },
        "kinds": {
            name: {
                "auroc": kind.auroc,
                "average_precision": kind.average_precision,
                "event_recall_at_12_per_hour": kind.recall,
                "delay_ms_median": kind.delay_ms_median,
                "delay_ms_p90": kind.delay_ms_p90,
                "deadline_s": kind.deadline_s,
                "events": kind.events,
                "severities": list(kind.severities),
            }
            for name, kind in result.kinds.items()
        },
        "false_alarms": [
            {
                "nominal_per_hour": rate.nominal_per_hour,
                "realised_per_hour": rate.realised_per_hour,
                "alarms": rate.alarms,
                "hours": rate.hours,
                "interval": list(rate.interval),
            }
            for rate in result.false_alarms
        ],
        "exceedance": _levels(result.exceedance),
        "exceedance_by_subject": {name: _levels(of) for name, of in result.exceedance_by_subject.items()},
        "exceedance_by_kind": {name: _levels(of) for name, of in result.exceedance_by_kind.items()},
        "baselines": {
            name: {
                "auroc": method.auroc,
                "average_precision": method.average_precision,
                "event_recall_at_12_per_hour": method.recall,
                "smoothing_s": method.smoothing_s,
            }
            for name, method in result.baselines.items()
        },
        "hours": result.hours,
        "subjects": result.subjects,
        "tracks": result.tracks,
        "events_not_made": dict(result.events_not_made),
    }


def _levels(of: Mapping[float, float | None]) -> dict[str, float | None]:
    return {f"{level:g}": share for level, share in of.items()}


def to_tables(result: AnomalyEvaluation) -> list[Table]:
    """Events by kind, ways to score, false alarms, p-values."""
    return [_kinds(result), _methods(result), _false_alarms(result), _p_values(result)]


def _kinds(result: AnomalyEvaluation) -> Table:
    table = _table(
        "Events", "kind", "events", "AUROC", "recall at 12/h", "deadline s", "median delay ms", "90 % delay ms"
    )
    for name, kind in result.kinds.items():
        table.add_row(
            name,
            str(kind.events),
            _share(kind.auroc),
            _share(kind.recall),
            f"{kind.deadline_s:g}",
            _delay(kind.delay_ms_median),
            _delay(kind.delay_ms_p90),
        )
    overall = result.overall
    events = sum(kind.events for kind in result.kinds.values())
    table.add_section()
    table.add_row(
        "all", str(events), _share(overall.auroc), _share(overall.recall), "", _delay(result.delay_ms_median_abrupt), ""
    )
    table.caption = "A miss counts as an infinite delay; the last median is of the abrupt kinds."
    return table


def _methods(result: AnomalyEvaluation) -> Table:
    kinds = list(result.overall.auroc_by_kind)
    table = _table("Frame AUROC", "score", "all", "av. prec.", "recall", *(name.replace("_", " ") for name in kinds))

    def row(name: str, method: MethodResult) -> None:
        by_kind = (_share(method.auroc_by_kind[kind]) for kind in kinds)
        table.add_row(name, _share(method.auroc), _share(method.average_precision), _share(method.recall), *by_kind)

    row(OURS, result.overall)
    row("its p-values", result.by_surprise)
    table.add_section()
    for name, method in result.baselines.items():
        row(name, method)
    return table


def _false_alarms(result: AnomalyEvaluation) -> Table:
    table = _table("False alarms per hour on normal motion", "nominal", "realised", "90 % interval", "alarms", "hours")
    for rate in result.false_alarms:
        low, high = rate.interval
        table.add_row(
            f"{rate.nominal_per_hour:g}",
            f"{rate.realised_per_hour:.1f}",
            f"{low:.1f} to {high:.1f}",
            str(rate.alarms),
            f"{rate.hours:.2f}",
        )
    return table


def _p_values(result: AnomalyEvaluation) -> Table:
    levels = list(result.exceedance)
    table = _table("Share of frames with a p-value at or below", "of", *(f"{level:g}" for level in levels))
    table.add_row("normal motion", *(_share(result.exceedance[level], 3) for level in levels))
    table.add_section()
    for name, of in result.exceedance_by_subject.items():
        table.add_row(f"subject {name}", *(_share(of[level], 3) for level in levels))
    table.add_section()
    for name, of in result.exceedance_by_kind.items():
        table.add_row(f"event {name}", *(_share(of[level], 3) for level in levels))
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _share(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _delay(value: float | None) -> str:
    return "missed" if value is None else f"{value:.0f}"
