"""Outdoors: evidence fetched from Azure into a case. Nothing else in this package touches a network.

`storage` reads the container that a diagnostic setting writes to, `workspace` a Log Analytics workspace, `login`
makes the credential that both take. Each is imported by name when it is wanted, never by the package:

    from mhsm_forensics.collect import login, storage
"""
