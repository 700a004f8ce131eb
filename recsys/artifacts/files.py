"""Writing so that a kill at any moment leaves the old state or the new one, never a mixture."""

import ctypes
import errno
import hashlib
import os
from pathlib import Path

_BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """Digest of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Ask the disk to keep a file or a folder's entries."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, text: str) -> None:
    """Write a file that readers see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
    sync(path.parent)


def link_atomically(link: Path, target: str) -> None:
    """Point a symlink (relative target) somewhere else in one step."""
    aside = link.with_name(f".{link.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(link)
    sync(link.parent)


def exchange(one: Path, other: Path) -> None:
    """Let two folders change places in one step, where the system can; else in two."""
    at, whole = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename and not rename(at, os.fsencode(one), at, os.fsencode(other), whole):
        sync(other.parent)
        return
    failed = ctypes.get_errno() if rename else errno.ENOSYS
    if failed not in {errno.ENOSYS, errno.EINVAL}:
        raise OSError(failed, os.strerror(failed), str(one))
    between = one.with_name(f"{one.name}.between")  # another system or an old file system
    other.rename(between)
    one.rename(other)
    between.rename(one)
    sync(other.parent)
