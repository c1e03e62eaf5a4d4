"""``python -m mhsm_forensics.samples FOLDER`` writes the samples into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import write

parser = argparse.ArgumentParser(prog="python -m mhsm_forensics.samples", description=__doc__)
parser.add_argument("folder", type=Path, help="where to write, usually data-samples/")
write(parser.parse_args().folder)
