"""Tests of the compute challenge."""
