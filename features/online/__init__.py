"""The online stores, read and written in Feast's own layout, without Feast in between.

Feast reads and writes row by row through objects; what is here does the same for many rows at once.
A contract test compares every byte with what Feast writes, and every value with what Feast reads.
"""
