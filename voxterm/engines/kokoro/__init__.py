"""Kokoro: a small network that speaks nine languages."""
