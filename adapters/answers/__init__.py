"""Answers as tables, for programs: CSV and Parquet, of the same columns and lines."""
