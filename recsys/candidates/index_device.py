"""Where an index is searched: on the CPU, or on a GPU where `faiss-gpu` sees one."""

from functools import cache
from typing import Any, Literal

from recsys.errors import SettingsError, extra

with extra("recsys"):
    import faiss

Device = Literal["auto", "cpu", "gpu"]


def has_gpu() -> bool:
    """Whether this FAISS can use a GPU, and there is one."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def on_gpu(index: Any) -> bool:
    """Whether an index lives on a GPU."""
    return isinstance(index, getattr(faiss, "GpuIndex", ()))


def to_device(index: Any, device: Device) -> Any:
    """Copy an index of the CPU to where the settings want it."""
    movable = not isinstance(index, faiss.IndexHNSW)
    if device == "gpu":
        _check(movable)
    if device == "cpu" or not (movable and has_gpu()):
        return index
    return faiss.index_cpu_to_gpu(_resources(), 0, index)


def to_cpu(index: Any) -> Any:
    """Bring an index back, to be written."""
    return faiss.index_gpu_to_cpu(index) if on_gpu(index) else index


def _check(movable: bool) -> None:
    if not movable:
        raise SettingsError(
            "an HNSW index can't be searched on a GPU",
            where="index.device",
            fix="set index.kind or index.approximate to ivf, or index.device to auto",
        )
    if not has_gpu():
        raise SettingsError(
            "FAISS sees no GPU",
            where="index.device",
            fix='install "tailor[gpu]" in place of "tailor[recsys]", or set index.device to auto',
        )


@cache
def _resources() -> Any:
    """The GPU's scratch memory: once per process, it is large."""
    return faiss.StandardGpuResources()
