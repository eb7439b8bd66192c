"""Takes each refusal and each check out of the product, one at a time, and demands that a test notices."""
