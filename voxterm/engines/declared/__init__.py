"""What the program knows of each engine before one is loaded: its settings, its role, what it needs."""
