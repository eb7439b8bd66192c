"""What a Pi says of itself."""
