"""A shopper's adapter as a folder that PEFT, vLLM and LoRAX load."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from personalizer.adapters import AdapterStore, Shopper
from personalizer.config import HypernetConfig
from personalizer.errors import extra
from personalizer.lora import Adapted, Adapters, rows_of

with extra("llm"):
    from peft import LoraConfig
    from safetensors.torch import save_file
    from torch import Tensor

__all__ = ["MODULES", "adapter_name", "export_fleet", "export_folder"]

MODULES, INDEX = "lora-modules.txt", "fleet.json"
LONGEST = 120  # of a quoted id: names of folders have 255 bytes
AT_ONCE = 256


def adapter_name(user_id: str, version: str) -> str:
    """`user-<id>@<version>`: never the same for two adapters, and always one plain folder name."""
    return f"user-{_plain(user_id)}@{_plain(version)}"


def _plain(text: str) -> str:
    """Text in letters, digits, `_`, `-`, `.` and %-escapes; a long one ends in its digest."""
    # surrogates: an id may come from bytes that are no UTF-8
    quoted = quote(text.encode("utf-8", "surrogatepass"), safe="").replace("~", "%7E")
    if len(quoted) <= LONGEST:
        return quoted
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{quoted[: LONGEST - 40].rpartition('%')[0] or quoted[: LONGEST - 40]}~{digest}"


def export_folder(
    adapters: Adapters,
    row: int,
    *,
    adapted: Adapted,
    config: HypernetConfig,
    base: str,
    folder: Path,
) -> Path:
    """Write one shopper's adapter as `folder`; one that stands there already is left as it is."""
    if folder.exists():  # names are immutable: it is the same adapter
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".adapter-", dir=folder.parent))
    try:
        _write(aside, _weights(adapters, row, adapted), config, base)
        aside.chmod(0o755)
        aside.replace(folder)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        if not folder.is_dir():  # else another process was faster
            raise
    return folder


def _weights(adapters: Adapters, row: int, adapted: Adapted) -> dict[str, Tensor]:
    """Weights under the names that PEFT gives them."""
    weights: dict[str, Tensor] = {}
    for kind, pair in adapters.items():
        for layer, name in enumerate(adapted.names[kind]):
            prefix = f"base_model.model.{name}"
            weights[f"{prefix}.lora_A.weight"] = pair.a[row, layer].detach().cpu().contiguous()
            weights[f"{prefix}.lora_B.weight"] = pair.b[row, layer].detach().cpu().contiguous()
    return weights


def _write(folder: Path, weights: dict[str, Tensor], config: HypernetConfig, base: str) -> None:
    # PEFT multiplies by alpha / r, and by alpha / sqrt(r) with rsLoRA
    alpha = config.scale if config.rslora else config.scale * config.rank
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=int(alpha) if float(alpha).is_integer() else alpha,
        use_rslora=config.rslora,
        target_modules=list(config.targets),
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    )
    lora.save_pretrained(str(folder))
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def export_fleet(
    shoppers: Sequence[Shopper], store: AdapterStore, *, adapted: Adapted, base: str, out: Path
) -> list[str]:
    """Export many shoppers, and what a server needs to load them; gives the adapters' names.

    `lora-modules.txt` holds what follows vLLM's `--lora-modules`, `fleet.json` the same for
    anything that loads adapters by path, LoRAX among them.
    """
    named: dict[str, Path] = {}
    config = store.hypernet.config
    for start in range(0, len(shoppers), AT_ONCE):
        some = shoppers[start : start + AT_ONCE]
        adapters = store.adapters(some)
        for row, shopper in enumerate(some):
            name = adapter_name(shopper.id, store.key(shopper).version)
            one = rows_of(adapters, slice(row, row + 1))
            named[name] = export_folder(
                one, 0, adapted=adapted, config=config, base=base, folder=out / name
            ).resolve()
    out.mkdir(parents=True, exist_ok=True)
    _replace(out / MODULES, (f"{name}={path}" for name, path in named.items()))
    index = {
        "base_model": base,
        "rank": config.rank,
        "adapters": {name: str(path) for name, path in named.items()},
    }
    _replace(out / INDEX, [json.dumps(index, indent=1)])
    return list(named)


def _replace(path: Path, lines: Iterable[str]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    aside.replace(path)
