"""voxterm: real-time spoken conversation in the terminal."""

__version__ = "0.1.0"
