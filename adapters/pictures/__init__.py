"""Pictures by matplotlib, which is an extra: `pip install '.[plot]'` in a checkout.

An SVG comes out the same, byte for byte, wherever the same version of matplotlib draws it. All are readable without
colours: by dashes, markers and words.
"""
