"""What tests need from npm, in the versions that a lock file beside them names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock


def installed(folder: Path, what: str) -> Path:
    """Where the packages of a folder's lock file are; installs them if they aren't there, and says so."""
    modules = folder / "node_modules"
    with FileLock(Path(tempfile.gettempdir()) / "mhsm-forensics-npm.lock"):
        if not (modules / ".package-lock.json").exists():  # npm writes it last
            npm = shutil.which("npm")
            if npm is None:
                pytest.skip("needs Node 20 and npm, which .ci/run installs")
            sys.stderr.write(f"tests/{folder.name}: installing {what} from package-lock.json (npm ci) …\n")
            subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True)
    return modules
