"""Exports and imports of a workspace: one zip, every byte of which is checked before anything is made of it."""
