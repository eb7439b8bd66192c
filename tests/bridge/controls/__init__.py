"""Bridges that differ from the product in one thing each, to show that the tests would see a loss."""
