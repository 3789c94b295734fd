"""A contract in plain words, for the people who sign it: what is said, and in which order.

Pure words: `adapters.rendering` writes them as Markdown or HTML. Nothing of a document may be left out, so its parts
remember what was taken from them (`parts`), and what no sentence is about is said by its name.
"""
