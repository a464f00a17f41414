"""The steps of a deployment, used by ``scripts/deploy.py`` and by the contracts' tests.

Ape does the connecting, signing and sending; nothing here runs in a server or a worker.
"""
