"""Where a listener finds a short rest natural inside a clause: before which words, and never behind which.

Pure tables, by language; a language that has none rests at punctuation alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rests:
    """Words in lower case. A rest before a preposition is weaker than one before a conjunction."""

    conjunctions: frozenset[str]  # relative pronouns too
    joining: frozenset[str]  # conjunctions that join names, too: no rest between two of them
    pairing: frozenset[str]  # behind these, "and" goes on with what they began: "between"
    prepositions: frozenset[str]
    clinging: frozenset[str]  # articles, possessives and such, which want the next word
    names_are_capital: bool = True  # False: every noun is


def rests_for(language: str) -> Rests | None:
    """Of a BCP 47 language; None where there is no table."""
    return _RESTS.get(language.lower().partition("-")[0])


def _rests(
    conjunctions: str,
    joining: str,
    pairing: str,
    prepositions: str,
    clinging: str,
    names_are_capital: bool = True,
) -> Rests:
    lists = (conjunctions, joining, pairing, prepositions, clinging)
    rest, join, pair, before, cling = (frozenset(words.split()) for words in lists)
    return Rests(rest | join, join, pair, before, cling | rest | join | before, names_are_capital)


_RESTS: Mapping[str, Rests] = {
    "en": _rests(
        """
        but so because although though while whereas if unless until when whenever where wherever since that
        which who whose whether before after as than
        """,
        "and or nor",
        "between both either neither",
        """
        in on at by with without from for during through throughout into onto over under between among
        across around against about along behind beyond near toward towards within like despite
        """,
        """
        a an the of to my your his her its our their this these those some any every each no not very too
        quite more most less least much many so just only even such both either neither is are was were be
        been am i'm you're it's that's there's has have had will would can could should may might must do
        does did what how why because i you he she we they one two three other another new old good great
        """,
    ),
    "de": _rests(
        """
        aber denn sondern weil dass damit obwohl während wenn als ob bevor nachdem sobald solange bis indem
        falls wobei weshalb wodurch
        """,
        "und oder",
        "zwischen sowohl entweder weder",
        """
        in im am auf aus bei beim mit nach von vom zu zum zur für durch gegen ohne um über unter vor hinter
        zwischen neben seit wegen trotz
        """,
        """
        ein eine einen einem einer eines der die das den dem des mein meine dein deine sein seine ihr ihre
        unser unsere kein keine dieser diese dieses diesen diesem jeder jede jedes sehr so zu nicht nur auch
        mehr ist sind war waren wird werden hat haben ich du er sie es wir man an alle viele einige
        """,
        names_are_capital=False,
    ),
    "fr": _rests(
        """
        mais donc car parce puisque lorsque quand comme si que qui dont où lequel laquelle afin tandis
        quoique
        """,
        "et ou",
        "entre soit",
        """
        dans sur sous avec sans pour par chez vers entre depuis pendant avant après contre malgré selon
        parmi
        """,
        """
        même
        le la les l un une des du de d au aux à en mon ma mes ton ta tes son sa ses notre nos votre vos leur
        leurs ce cet cette ces chaque quelques plusieurs très plus moins aussi trop est sont était a ont ne
        se je tu il elle on nous vous ils elles c'est
        """,
    ),
    "es": _rests(
        "pero sino porque aunque cuando mientras si que quien donde como pues cual cuyo",
        "y e o u",
        "entre",
        "en con sin por para desde hasta entre sobre bajo hacia contra durante según tras ante",
        """
        el la los las un una unos unas lo del al de a mi mis tu tus su sus nuestro nuestra este esta estos
        estas ese esa cada muy más menos tan no se me te le nos es son era está están ha han he yo él ella
        """,
    ),
    "it": _rests(
        "ma perché anche quando mentre se che chi dove come poiché quindi cui affinché",
        "e ed o oppure",
        "tra fra sia",
        """
        in con su per tra fra da dal dalla nel nella nei nelle sul sulla durante verso contro senza secondo
        """,
        """
        anche
        il lo la i gli le un uno una l di del dello della dei degli delle a al alla ai alle mio mia tuo tua
        suo sua nostro nostra questo questa quel quella ogni molto più meno così non si mi ti ci è sono era
        ha hanno ho ed
        """,
    ),
    "pt": _rests(
        "mas porque embora quando enquanto se que quem onde como pois cujo",
        "e ou",
        "entre",
        "em no na nos nas com sem por para pelo pela desde até entre sobre sob durante contra segundo",
        """
        o a os as um uma uns umas de do da dos das ao à meu minha teu tua seu sua nosso nossa este esta esse
        essa cada muito mais menos tão não se me te lhe é são era está estão tem têm
        """,
    ),
    "hi": _rests(
        "लेकिन मगर परंतु क्योंकि ताकि जबकि अगर जब जो जिससे इसलिए",
        "और या",
        "",
        "",
        "एक यह वह ये वे मेरा मेरी आपका आपकी बहुत",
    ),
}
