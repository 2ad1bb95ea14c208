"""Commands of one feature a file, imported when they are called. `cli` lists them."""
