"""Outdoors: what other tools and other people know, added to what the events say.

Nothing here is loaded by the package itself: each part is imported by name when it is wanted.

    from mhsm_forensics.enrich import geoip, sequences
"""
