"""How good the lists are: metrics with intervals, protocols without leaks, a probe for leaks."""
