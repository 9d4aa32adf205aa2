"""What a voice says to be heard before it is chosen: a greeting in its language. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from voxterm.engines.protocols import Voice
from voxterm.language import primary

GREETINGS: Mapping[str, str] = {
    "ar": "مرحبا! هذا صوتي.",
    "bg": "Здравейте! Това е моят глас.",
    "bn": "নমস্কার! আমার কণ্ঠ এমন।",
    "ca": "Hola! Així sona la meva veu.",
    "cs": "Dobrý den! Tak zní můj hlas.",
    "da": "Hej! Sådan lyder min stemme.",
    "de": "Hallo! So klinge ich.",
    "el": "Γεια σας! Αυτή είναι η φωνή μου.",
    "en": "Hello! This is how I sound.",
    "eo": "Saluton! Tia estas mia voĉo.",
    "es": "¡Hola! Así suena mi voz.",
    "fa": "سلام! این صدای من است.",
    "fi": "Hei! Tältä ääneni kuulostaa.",
    "fr": "Bonjour ! Voici ma voix.",
    "gu": "નમસ્તે! આ મારો અવાજ છે.",
    "he": "שלום! זה הקול שלי.",
    "hi": "नमस्ते! मेरी आवाज़ ऐसी है।",
    "hr": "Bok! Ovako zvuči moj glas.",
    "hu": "Jó napot! Ilyen a hangom.",
    "id": "Halo! Beginilah suara saya.",
    "it": "Ciao! Questa è la mia voce.",
    "ja": "こんにちは！これがわたしのこえです。",
    "kn": "ನಮಸ್ಕಾರ! ಇದು ನನ್ನ ಧ್ವನಿ.",
    "ko": "안녕하세요! 제 목소리는 이렇습니다.",
    "la": "Salve! Haec est vox mea.",
    "ml": "നമസ്കാരം! ഇതാണ് എന്റെ ശബ്ദം.",
    "mr": "नमस्कार! हा माझा आवाज आहे.",
    "ms": "Helo! Beginilah suara saya.",
    "nb": "Hei! Slik låter stemmen min.",
    "ne": "नमस्ते! यो मेरो आवाज हो।",
    "nl": "Hallo! Zo klinkt mijn stem.",
    "pa": "ਸਤ ਸ੍ਰੀ ਅਕਾਲ! ਇਹ ਮੇਰੀ ਆਵਾਜ਼ ਹੈ।",
    "pl": "Cześć! Tak brzmi mój głos.",
    "pt": "Olá! Esta é a minha voz.",
    "ro": "Bună ziua! Așa sună vocea mea.",
    "ru": "Здравствуйте! Вот мой голос.",
    "sk": "Dobrý deň! Takto znie môj hlas.",
    "sr": "Здраво! Ово је мој глас.",
    "sv": "Hej! Så här låter min röst.",
    "sw": "Habari! Hii ndiyo sauti yangu.",
    "ta": "வணக்கம்! இது என் குரல்.",
    "te": "నమస్కారం! ఇది నా గొంతు.",
    "th": "สวัสดี นี่คือเสียงของฉัน",
    "tr": "Merhaba! Sesim böyle.",
    "uk": "Вітаю! Ось мій голос.",
    "ur": "السلام علیکم! یہ میری آواز ہے۔",
    "vi": "Xin chào! Đây là giọng nói của tôi.",
    "yue": "你好！呢個就係我把聲。",
    "zh": "你好！这就是我的声音。",
}
"""By language. Whoever says it may be a man or a woman."""


def greeting(voice: Voice) -> str:
    """What this voice says; its own name where its language is none of these."""
    return GREETINGS.get(primary(voice.language)) or voice.name.replace("-", " ")
