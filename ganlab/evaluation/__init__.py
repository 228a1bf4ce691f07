"""One feature pass, many evaluators, cached reference statistics."""
