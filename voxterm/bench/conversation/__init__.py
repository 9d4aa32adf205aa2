"""`voxterm bench conversation`: a person of recordings talks with voxterm, and a judge says what happened.

lines         what a person says: recordings, made speech with pauses; where the voice begins and ends
noises        coughs, "mm-hm", doors, and the noise of a place
script        who says what when: the parts of the measurement
person        says the script, reacting to what the loudspeaker plays
acoustics     what lies between the loudspeaker and the microphone: echo
witness       what is kept for the judge: what was said, played, told
simulation    the conversation on files, faster than real time
on_devices    the same on real devices, in a private room
traces        where one sound is in another
judge         the figures, from the ground truth alone
measurement   all parts, one document
"""
