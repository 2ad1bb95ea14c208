"""A notebook as plain text in git, with its outputs beside it.

text      text <-> cells: jupytext behind one door          (pure)
identity  which cell is which after an edit outside         (pure)
layout    where a notebook's outputs lie
store     outputs by the text they belong to
documents a text notebook being opened and saved
contents  what the Jupyter server opens and saves files with
"""
