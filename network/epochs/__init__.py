"""Epochs of attestation: what is anchored on chain once a day, and how to prove a part of it."""
