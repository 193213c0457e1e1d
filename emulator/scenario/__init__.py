"""Scenarios: files that say a world, what happens in it, and what must be seen.

Rules: a file has a schema version and is read strictly (`schema`, `checks`); every error has a rule's
number, a place in the file and a mend (`rules`); files come by path or by name from the shelf
(`loader`).
"""
