"""The network's part of the API, one module a topic."""
