"""Whisper: writes down what a person says, in some hundred languages."""
