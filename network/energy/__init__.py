"""Energy and carbon of GPUs: joules from counters, site energy, location-based carbon, SCI.

Pure Python without Django: values come in as integers whose names say the unit, parameters of the
network are passed in, and nothing is read but the two tables in this folder. docs/energy.md says
the method in plain words.
"""
