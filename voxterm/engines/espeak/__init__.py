"""eSpeak NG: speech in more than a hundred languages, with no GPU and no download."""
