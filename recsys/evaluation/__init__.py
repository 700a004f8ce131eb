"""How good the lists are: metrics with intervals, baselines, a probe for leaks."""
