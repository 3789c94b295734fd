"""What differs between two versions of a contract: term by term, in words, what bears on privacy first.

`trees` compares two documents whatever their fields, so nothing that differs is left out; `meaning` says in plain words
what the known ones mean; `comparing` puts both together.
"""
