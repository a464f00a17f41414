"""Governors that are not ours: what kind one is, and the ids it gives. Knows no tables."""
