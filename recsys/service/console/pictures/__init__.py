"""Pictures made on the server as SVG: classes instead of styles, every text escaped.

The large ones come wide and narrow: a page holds both, and its style shows the one that fits.
"""
