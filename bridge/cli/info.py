"""``pose-bridge info``: what is installed here, and what the weights are."""

from __future__ import annotations

from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, Device, Threads, Weights


@examples(
    ("pose-bridge info", "What is installed here, and what the bundled weights are."),
    ("pose-bridge info --weights mine.safetensors --json", "The same of other weights, with all that they say."),
)
def info(
    weights: Weights = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Print versions, device, threads and what the weights file says about itself."""
    # Loaded late: help should not wait for torch.
    from rich.console import Console

    from bridge.cli.info_report import describe, describe_as_table
    from bridge.cli.output import write_json
    from bridge.cli.progress import busy

    console = Console(stderr=True)
    with busy(console, "loading the weights"):
        facts = describe(weights, device=device, threads=threads)
    console.print(describe_as_table(facts))
    if as_json:
        write_json(facts)
