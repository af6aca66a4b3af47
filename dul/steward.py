"""Placeholder."""


class Steward(object):
    """To come."""
