"""One module for each kind of component, named as the kind; `check(subject)` is its door."""
