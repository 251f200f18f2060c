"""CURVE keys in files, for both ends of a ZeroMQ connection: 32 bytes as 40 characters of Z85, in ZeroMQ's own format.

A pair named N is two files: ``N.key`` holds the public key and may be given away, ``N.key_secret`` holds both.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import InvalidInput, NotFound

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_LENGTH = 40
_LINE = re.compile(r"\s*(public|secret)-key\s*=\s*[\"']?([^\"'\s]*)[\"']?\s*")
_WHAT = 'a file that `pose-bridge keys new` made, with a line public-key = "..."'


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public and its secret key, as Z85 text."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> KeyPair:
        """Make a pair that nobody had before."""
        import zmq  # late: whoever only reads keys does not need it

        public, secret = zmq.curve_keypair()
        return cls(public.decode("ascii"), secret.decode("ascii"))


def is_key(text: str) -> bool:
    """Whether this is the Z85 text of a key."""
    return raw_key(text) is not None


def raw_key(text: str) -> bytes | None:
    """Return the 32 bytes of a key that is given as Z85 text, None if it is none."""
    digits = [_Z85.find(character) for character in text]
    if len(digits) != _LENGTH or min(digits) < 0:
        return None
    numbers = [sum(digit * 85 ** (4 - place) for place, digit in enumerate(digits[i : i + 5])) for i in range(0, 40, 5)]
    return b"".join(number.to_bytes(4) for number in numbers) if max(numbers) < 2**32 else None


def read_public_key(path: Path, *, field: str) -> str:
    """Read the public key of a file of either kind; ``field`` names what the file was given for.

    Raises:
        NotFound: if there is no such file.
        InvalidInput: if it holds none.
    """
    keys = _read(path, field)
    if "public" not in keys:
        raise InvalidInput(f"{path} holds no public key", field=field, expected=_WHAT)
    return keys["public"]


def read_key_pair(path: Path, *, field: str) -> KeyPair:
    """Read a ``.key_secret`` file; ``field`` names what the file was given for.

    Raises:
        NotFound: if there is no such file.
        InvalidInput: if it does not hold both keys.
    """
    public, secret = read_public_key(path, field=field), _read(path, field).get("secret")
    if secret is None:
        raise InvalidInput(f"{path} holds no secret key", field=field, expected="the .key_secret file of the pair")
    return KeyPair(public, secret)


def write_key_pair(pair: KeyPair, public_file: Path, secret_file: Path) -> None:
    """Write both files, readable for their owner only.

    Raises:
        InvalidInput: if one exists, or cannot be written; nothing is overwritten.
    """
    for path in (public_file, secret_file):
        if path.exists():
            raise InvalidInput(
                f"{path} exists", field="out", expected="another name or folder: keys are never replaced"
            )
    _write(public_file, f'# ZeroMQ CURVE public key: may be given away\n\ncurve\n    public-key = "{pair.public}"\n')
    _write(
        secret_file,
        "# ZeroMQ CURVE secret key: for its owner's eyes only\n\ncurve\n"
        f'    public-key = "{pair.public}"\n    secret-key = "{pair.secret}"\n',
    )


def _read(path: Path, field: str) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist", field=field, expected=_WHAT) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise InvalidInput(f"cannot read {path}: {reason}", field=field, expected=_WHAT) from None
    lines = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[2] for match in lines if match and is_key(match[2])}


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        expected = "a folder to write in"
        raise InvalidInput(f"cannot write {path}: {error.strerror}", field="out", expected=expected) from None
