"""Films as files: GIF by Pillow, MP4 by ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from shutil import which
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bridge.errors import FailedPrecondition, Unavailable
from bridge.figures.bodies import Theme
from bridge.figures.film import GIF, INCHES, MP4

_SHADES = 14


def save_gif(target: Path | IO[bytes], film: Iterable[NDArray[np.uint8]], theme: Theme) -> None:
    """Write the pictures (height, width, 3) of a film as an endless GIF, `GIF`.fps of them a second.

    Raises:
        OSError: if the file cannot be written.
    """
    palette = _palette(theme)
    pictures = [Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in film]
    pictures[0].save(
        target,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=round(1e3 / GIF.fps),
        loop=0,
        optimize=True,
        disposal=1,
    )


def _palette(theme: Theme) -> Image.Image:
    """An image whose palette has every colour of a theme, pure and mixed with paper: one for all pictures of a film,
    which then differ only where something moves, and no edge is of a colour that is not the theme's.
    """
    shades = [
        theme.faded(colour, share)
        for colour in (theme.ink, theme.faint, theme.ghost, *theme.futures)
        for share in np.linspace(0.0, 1.0, _SHADES)
    ]
    values = [int(shade[at : at + 2], 16) for shade in dict.fromkeys(shades) for at in (1, 3, 5)]
    image = Image.new("P", (1, 1))
    image.putpalette(values)
    return image


def require_ffmpeg() -> str:
    """Return the path of ffmpeg.

    Raises:
        FailedPrecondition: if it is not on PATH.
    """
    found = which("ffmpeg")
    if found is None:
        raise FailedPrecondition(
            "an .mp4 needs ffmpeg, which is not on PATH", field="out", expected="ffmpeg installed, or a name in .gif"
        )
    return found


def save_mp4(path: Path, film: Iterable[NDArray[np.uint8]]) -> None:
    """Write the pictures (height, width, 3) of a film in the format `MP4` as H.264 video.

    Raises:
        FailedPrecondition: if there is no ffmpeg.
        Unavailable: if ffmpeg fails; carries the last line that it said.
    """
    width, height = (round(inches * MP4.dots_per_inch) for inches in INCHES)
    command = [require_ffmpeg(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width}x{height}", "-r", f"{MP4.fps:g}", "-i", "-", "-an"]
    # Whichever encoder this ffmpeg has for it; the pixel format is the one that every player knows.
    command += ["-c:v", "h264", "-pix_fmt", "yuv420p", "-b:v", "4M", "-movflags", "+faststart", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stderr is not None
        _feed(process.stdin, film)
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode != 0:
        reason = said[-1] if said else f"exit code {process.returncode}"
        raise Unavailable(f"ffmpeg could not write {path}: {reason}", field="out", expected="a name in .gif")


def _feed(sink: IO[bytes], pictures: Iterable[NDArray[np.uint8]]) -> None:
    """Hand pictures over; a reader that ends early says why elsewhere."""
    try:
        for picture in pictures:
            sink.write(picture.tobytes())
        sink.close()
    except BrokenPipeError:
        pass
