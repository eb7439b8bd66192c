"""The product, but for one thing each."""
