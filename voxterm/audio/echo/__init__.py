"""The loudspeaker's sound in the microphone, and how it is taken out; `front_end` puts the parts together.

reference    what left the loudspeaker, and when
alignment    which of it was in the air with a block of the microphone, though the devices' clocks differ
chime        the sound by which the room is measured
path         how loud the echo is, and how late
choice       what to do about it
webrtc       WebRTC's canceller, which leaves nothing of an echo and little of who speaks into it
adaptive     a linear filter, which leaves both
double_talk  whether somebody speaks into the echo
cancelling   one or the other, block by block
passage      samples through blocks that come back late
"""
