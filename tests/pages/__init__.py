"""What the pages of the documentation tell a reader to type, and a reader who does."""
