"""The built-in shop: an invented marketplace whose hidden tastes are known.

`write` makes raw files in the Amazon 2023 layout, and truth files that tell what was planted.
The same arguments give the same bytes, on any day.
"""

from recsys.sample.make import SampleReport, write

__all__ = ["SampleReport", "write"]
