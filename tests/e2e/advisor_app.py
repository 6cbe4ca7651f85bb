"""The application of test_lab_advisor: a server whose advisor reasons with the figures that a variable names."""

import os
from pathlib import Path

from wirehop import Namespace, Node
from wirehop.lab.advice import install_advisor
from wirehop.measured.profile import load_profile

node = Node(namespaces={"": Namespace(subscribe="anyone", publish="anyone")})
install_advisor(node, load_profile(Path(os.environ["ADVISOR_PROFILE"])))
