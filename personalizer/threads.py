"""The number of threads of a sum is told, not left to a library to choose in every call."""

from personalizer.errors import extra

with extra("llm"):
    import torch

__all__ = ["keep_threads"]


def keep_threads() -> None:
    """Tell torch the number of threads it has.

    Until it is told one, MKL may take fewer for a small product, and the last digits of a training
    would hang on whether something before it in the process, as encoding texts, had told it.
    """
    torch.set_num_threads(torch.get_num_threads())
