"""Recipes carried out: compiled to SQL, which one engine or another runs out of core."""
