"""Let every test import the modules that lie beside it, such as `backbones`: pytest's importlib mode does not.

Also gives each of several test processes one thread for its arithmetic: together they have no more cores than one.
"""

import os
import sys
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch and OpenBLAS are loaded, which is later

sys.path.insert(0, str(Path(__file__).parent))
