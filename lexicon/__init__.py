"""The recipes of the public word lists that ship with the package. Not needed to use it."""
