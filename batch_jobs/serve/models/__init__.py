"""Models in folders: found, checked, loaded, kept in memory while there is room."""
