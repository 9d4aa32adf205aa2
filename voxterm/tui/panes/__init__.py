"""What the screen is made of, a file a pane, and the lines that they draw."""
