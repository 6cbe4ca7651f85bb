"""The application of test_lab_tables: a server whose tables are made of the profile that a variable names."""

import os
from pathlib import Path

from wirehop import Namespace, Node
from wirehop.lab.tables import install_tables

node = Node(namespaces={"": Namespace(subscribe="anyone", publish="anyone")})
install_tables(node, Path(os.environ["TABLES_PROFILE"]))
