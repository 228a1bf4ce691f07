"""Pictures as arrays: grids of samples, curves of numbers, films."""
