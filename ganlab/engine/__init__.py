"""The engine: networks, players, turns and all that decides how weights move; it knows no run."""
