"""`parley doctor`: does the machine keep what the code cannot? One module a family of checks.

Checks read; none writes to the database, and no finding quotes a secret or the text of a library.
"""
