"""The advisor: which technique fits, reasoned from rules and measured figures.

from wirehop.advisor import Inputs, advise
from wirehop.measured.profile import load_profile

print(advise(Inputs(direction="down", down=2), load_profile()).sentence)
"""

from wirehop.advisor.answer import Advice
from wirehop.advisor.cost import Prices
from wirehop.advisor.facts import InputError, Inputs
from wirehop.advisor.reason import advise
from wirehop.advisor.scenarios import SCENARIOS, Scenario

__all__ = ["SCENARIOS", "Advice", "InputError", "Inputs", "Prices", "Scenario", "advise"]
