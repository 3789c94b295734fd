"""Submissions: posting a period, restating it, and measuring it at source."""
