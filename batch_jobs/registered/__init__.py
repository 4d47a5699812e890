"""Registered models as jobs work on them, and the rows that judge them, read as the models read them."""
