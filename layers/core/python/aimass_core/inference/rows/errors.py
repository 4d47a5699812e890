"""What is wrong with one cell."""


class CellError(Exception):
    """A cell that cannot be read; the message says what it should be."""
