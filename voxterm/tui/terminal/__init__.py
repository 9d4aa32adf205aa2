"""Between the screen and the terminal: what may be sent, what has to be, and what comes back."""
