"""Governors that are not ours: what kind one is, the ids it gives, what its proposals call."""
