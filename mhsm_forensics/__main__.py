"""``python -m mhsm_forensics``."""

from .cli import main

main()
