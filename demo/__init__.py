"""The demo: a whole DAO on a local chain, and the proof that it works (``make demo``).

Nothing that serves imports this package, but ``config.urls`` where DEMO_MODE is on.
"""
