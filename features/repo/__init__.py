"""The Feast repository: its objects, built by functions that take the path of the offline folders.

Kept apart from the Spark jobs, and applied from code: nothing scans this folder.
"""
