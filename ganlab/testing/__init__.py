"""The conformance kit: plugin authors hold their components against the promises of their kind.

from ganlab.testing import check_component

def test_my_discriminator():
    check_component(component, options={"width": 8})
"""

from ganlab.testing.conformance import check_component, examine
from ganlab.testing.hook_modules import components_of
from ganlab.testing.subject import ConformanceError, Finding

__all__ = ["ConformanceError", "Finding", "check_component", "components_of", "examine"]
