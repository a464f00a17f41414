"""``althing-node``: the program that a node's operator runs. Pure: no Django, no database.

It holds the node's Ed25519 key, registers the node, collects evidence from NVML (or from the
emulator where the service trusts it) and posts signed reports.
"""
