"""What tests of the codecs share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for `schema_file`: tests are no package
