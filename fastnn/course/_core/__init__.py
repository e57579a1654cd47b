"""What the course modules share, under no name of the notebooks."""
