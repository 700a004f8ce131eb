"""The number of threads of a sum is told, not left to a library to choose in every call."""

from personalizer.errors import extra

with extra("llm"):
    import torch

__all__ = ["keep_threads"]


def keep_threads() -> None:
    """Tell torch the number of threads it has.

    Until it is told one, the last digits of a training hang on whether something before it in the
    process, as encoding texts, has told it: MKL, it seems, takes fewer where it sees fit.
    """
    torch.set_num_threads(torch.get_num_threads())
