"""Scalars, pictures and text out of a run: trackers, and the console."""
