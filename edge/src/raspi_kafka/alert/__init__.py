"""Alerts of what devices say, and of what they do not say."""
