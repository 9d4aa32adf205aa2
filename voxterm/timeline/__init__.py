"""The time line of a turn: packed for the store, and drawn as a picture.

packed    a byte for each value
figure    the whole picture, from top to bottom
panel     a stretch of time with its flags, its lanes and its axis
lanes     what lies on such an axis: levels, probabilities, spans, bars
words     the texts in it: how wide they are, how they wrap, what of them is shown
canvas    elements of SVG, and their colours on a light and on a dark page
"""
