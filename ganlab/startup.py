"""What has to be put right before anything else is imported."""

import sys

# `python -m ganlab` has the working directory first on `sys.path`, and with it a `random.py` that
# lies there, which torch would take for the standard library's. It is looked into last instead, as
# for the `ganlab` script. While Python still looks for what `-m` names, `argv` has just that.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))
