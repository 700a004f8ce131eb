"""Guided profiles: what a shopper is like, in words.

A history is digested, the digestion guides the profile, and the profile stands for the history
afterwards (Guided Profile Generation). Nothing here loads torch, except the generator that runs a
model in process.
"""
