"""What `ganlab new` writes: a plugin to begin with, and an experiment for data that is there."""
