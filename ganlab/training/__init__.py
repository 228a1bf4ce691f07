"""A run's session: advance the engine, report, measure, save."""
