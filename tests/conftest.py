"""Let every test import the modules that lie beside it, such as `backbones`: pytest's importlib mode does not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
