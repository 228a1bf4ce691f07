"""Scalars, pictures and text out of a run."""
