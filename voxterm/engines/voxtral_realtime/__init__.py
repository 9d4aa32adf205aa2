"""Voxtral Realtime: writes down what a person says while they say it."""
