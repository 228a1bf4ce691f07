"""Experiments held against each other by their runs: what differs, whether it was fair, and what came out."""
