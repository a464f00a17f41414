"""The network's pages. They read; what changes something is a transaction or a signed request."""
