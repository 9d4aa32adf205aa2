"""What lies over the screen for a moment: to read, to choose from, to answer."""
