"""What the network's part of the API takes and gives."""
