"""Simulated devices against a deployed gateway, and what became of each of their messages."""
