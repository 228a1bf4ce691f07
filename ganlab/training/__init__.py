"""The engine: players, the game, turns, precision, moving averages."""
