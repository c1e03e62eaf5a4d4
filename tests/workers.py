"""Which worker runs what, when several run the tests."""

from __future__ import annotations

from typing import Final

from xdist.scheduler.loadscope import LoadScopeScheduling

# What takes longest begins first: a long file that begins last keeps one worker busy and the other waiting.
LONGEST: Final = (
    "_in_jupyterlab.py",
    "test_rules.py",
    "test_cli.py",
    "test_workspace.py",
    "test_storage.py",
    "test_export_rules.py",
    "test_report.py",
    "test_rules_around.py",
    "test_case.py",
    "test_detect.py",
    "test_msticpy.py",
    "test_analyse.py",
    "test_widgets_panels.py",
    "test_known.py",
)


def rank(nodeid: str) -> int:
    """Place in the queue: that of the file among the longest, or after all of these."""
    file = nodeid.partition("::")[0]
    return next((place for place, name in enumerate(LONGEST) if file.endswith(name)), len(LONGEST))


class ByFile(LoadScopeScheduling):
    """A worker runs a file's tests all, for they share what they need; those in JupyterLab share a server too.

    (The marks of `--dist loadgroup` do nothing with pytest 9.2: https://github.com/pytest-dev/pytest-xdist/issues/1386)
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return LONGEST[0] if file.endswith(LONGEST[0]) else file
