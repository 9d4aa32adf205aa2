"""The coordinator of a spoken conversation, and its parts in the order in which sound comes by.

coordinator   the heartbeat: one frame of the microphone after the other, and the keys
tape          the newest frames, from which a turn takes its beginning
choices       what a person chooses while they talk: the voice, its speed, devices, what is kept
floor         whose turn it is: signals of the turn machine → exchanges
intrusion     a voice in the reply, while it is open what it is
interjection  whether a voice in the reply is the person's turn, or a cough
pause         whether the person has finished, by all who can tell
ears          the person's samples on their way to the engine that understands
attempts      answers begun in a pause, in secret
reply         one of them, held back until it may be heard
wording       its text: what is shown, and what the voice is given, tags like "<laugh>" included
pacing        its sound: where the voice is too slow, pauses fall between words
playout       its way out of the loudspeaker: it can wait, and go on from an earlier word
exchange      what was said and what was answered
outcomes      what became of it: how much was heard, how long it took, the history
instruments   the state, the levels, the echo: what a person reads off
track         what happened when, for the time line of a turn
bridge        where model threads and the event loop meet
"""

from voxterm.conversation.cast import Cast, Devices
from voxterm.conversation.coordinator import Conversation

__all__ = ["Cast", "Conversation", "Devices"]
