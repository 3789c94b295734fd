"""What a privacy officer is given: facts computed from one contract and one installation, and the words made of them.

One module a section: typed facts (they become JSON), and a section of words that says nothing but these facts. Pure:
what only the outside knows (versions, tables, the results of tests, the ledger that an exchange answered) is `given`.
"""
