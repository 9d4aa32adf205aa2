"""The coordinator of a spoken conversation, and its parts in the order in which sound comes by.

coordinator   the heartbeat: one frame of the microphone after the other, and the keys
tape          the newest frames, from which a turn takes its beginning
choices       what a person chooses while they talk: the voice, its speed, devices, what is kept
floor         whose turn it is: signals of the turn machine → exchanges, their attempts and their end
ears          the person's samples on their way to the engine that understands
reply         one attempt to answer, spoken ahead of time and held back until it may be heard
wording       its text: what is shown, and what the voice is given, tags like "<laugh>" included
pacing        its sound: where the voice is too slow, pauses fall between words
exchange      what was said and what became of it
bridge        where model threads and the event loop meet
"""

from voxterm.conversation.cast import Cast, Devices
from voxterm.conversation.coordinator import Conversation

__all__ = ["Cast", "Conversation", "Devices"]
