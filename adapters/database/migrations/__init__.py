"""The history of the schema. A revision that has been released is never edited; add another.

`python -m adapters.database.migrations "what changes"` drafts one from the difference to `tables.py`.
"""
