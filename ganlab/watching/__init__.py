"""Runs in TensorBoard: what they are called there, what it opens on, what its tables begin with."""
