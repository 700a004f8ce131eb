"""The online stores, read and written without Feast in between, so that Feast can do it as well.

Feast reads and writes row by row through objects; what is here does the same for many rows at once:
in Redis and PostgreSQL in Feast's own layout, in SQLite in one that Feast is told of (`for_feast`).
A contract test compares every byte with what Feast writes, and every value with what Feast reads.
"""
