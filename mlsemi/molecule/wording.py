"""Words for charge and multiplicity: what named values and lines of free text say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Statement:
    """One thing that an input says.

    Attributes
    ----------
    quantity : str
        ``"charge"``, ``"multiplicity"`` or ``"electrons"``, their number.
    words : str
        How it is said, and where.
    value : int or None
        None if it cannot be taken over.
    doubt : str
        What a user should know about it.
    fatal : bool
        Nothing can be computed unless the quantity is given explicitly.
    weak : bool
        Follows from something else, such as atomic charges: any other statement overrules it.
    """

    quantity: str
    words: str
    value: int | None = None
    doubt: str = ""
    fatal: bool = False
    weak: bool = False


CHARGE = frozenset(
    """charge totalcharge netcharge formalcharge totalformalcharge molecularcharge moleculecharge
    molcharge systemcharge overallcharge ioniccharge ioncharge totcharge chargetotal chargetot
    chargestate pubchemtotalcharge totalq netq qtotal qtot totq q chrg chg crg
    ladung gesamtladung nettoladung molekülladung chargetotale carga cargatotal carica
    """.split()  # noqa: SIM905
)
MULTIPLICITY = frozenset(
    """multiplicity spinmultiplicity totalmultiplicity electronicmultiplicity molecularmultiplicity
    totalspinmultiplicity mult multip spinmult 2s1 multiplizität multiplizitaet
    spinmultiplizität spinmultiplizitaet multiplicidad multiplicité""".split()  # noqa: SIM905
)
UNPAIRED = frozenset(
    """uhf nuhf nopen unpaired nunpaired unpairedelectrons nunpairedelectrons
    numberofunpairedelectrons 2s""".split()  # noqa: SIM905
)
ELECTRONS = frozenset(
    """nelec nelect nelectron nelectrons nelectron numelec numelectrons numberofelectrons electrons
    totalelectrons elektronen elektronenzahl""".split()  # noqa: SIM905
)
SPIN = frozenset("spin totalspin electronicspin spinstate".split())  # noqa: SIM905
MOMENT = frozenset(
    """magmom totalmagmom totmagmom netmagmom magneticmoment totalmagneticmoment nupdown
    """.split()  # noqa: SIM905
)
SHORT = frozenset("q qtot totq netq totalq qtotal 2s 2s1".split())  # noqa: SIM905
"""Names that are too short to count without ``=`` or ``:``."""

BARE = ("charge", "ladung")
"""Names that are noticed without a value too."""

OTHER = re.compile(
    r"partial|nuclear|nucleus|atom|mulliken|point|core|l[oö]e?wdin|hirshfeld|bader|resp|effective"
    r"|background|image|density|sigma|transfer|mass|site|esp\b|npa|nbo|cm5|teil|kern|alpha|beta|active",
    re.IGNORECASE,
)
"""Charges of something else than the molecule."""

SPIN_WORDS = {
    "singlet": 1,
    "doublet": 2,
    "triplet": 3,
    "quartet": 4,
    "quintet": 5,
    "sextet": 6,
    "septet": 7,
}
ION_WORDS = re.compile(
    r"\b(?:(?:di|tri|tetra|mono|poly)?(?:cat|an)ions?|(?:cat|an)ionic|radical)\b", re.IGNORECASE
)
OPEN_WORDS = re.compile(
    r"\b(?:(?:bi|di)?radicals?|open[- ]shell|" + "|".join([*SPIN_WORDS][1:]) + r")\b", re.IGNORECASE
)
ION_FORMULA = re.compile(
    r"(?<!\S)\[?(?:\(?[A-Z][a-z]?\)?\d*){2,}\]?(?:(?:\s?\^?[({]?\d)?[+-]{1,3}|\^[({]?[+-]\d)[)}]?"
    r"(?![\w.+-])"
)
SIGNED = re.compile(
    r"""[({\[](?:[+-]\d|\d[+-])[)}\]]                        # (-2), oxalate(2-), [2+]
    |(?<=[A-Za-z)\]]\s)\d[+-](?=\s*$|[,;:)]|\s(?!and\b|or\b|to\b|\d))  # oxalate 2-
    |[\u00b9\u00b2\u00b3\u2070-\u2079]?[\u207a\u207b](?![\u00b9\u00b2\u00b3\u2070-\u2079])
    |(?<![\w.])q\s*[({\[]?\s*[+-]\s?\d(?![.\w])             # q -2, q(-2)
    |(?<![\w-])(?!(?:step|frame|index|shift|offset|iteration|energy)\b)[a-z][\w-]*,?
        \s[+-]\d(?:[\s,/]+[1-9])?\s*$                       # oxalate -2
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Signed integers as they follow the name or formula of an ion; superscripts are no exponents."""

GLUED = re.compile(r"(?:charge|chrg|chg|(?<![a-z])q)_?[+-]?\d", re.IGNORECASE)
SPIN_SYMBOL = re.compile(r"(?<!\w)S\s*=\s*[1-9]")
ION_SMILES = re.compile(r"\[\d*(?:[A-Z][a-z]?|[a-z])@{0,2}(?:H\d*)?(\++|-+|[+-]\d)(?::\d+)?\]")
ION_INCHI = re.compile(r"/[qp]([+-]\d+)\b")

NUMBER = r"(?:[+-]\s?)?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[+-]?"
VALUE = re.compile(
    r"""["']?\s*(?P<sign>:?=+|:|\.{2,}\s*:?|is\b|of\b|)\s*["'({\[]*"""
    rf"""(?:(?P<number>{NUMBER})(?=$|[\s,;:)\]}}"'|>=]|e\b)|(?P<word>[^\s,;"'|)=]*))"""
)
NAME = re.compile(
    r"""(?<![a-z0-9.+])(?P<name>
        (?:(?:total|net|formal|overall|molecular|spin|number[ ]of|unpaired)[ ])?
        [a-z0-9_-]*(?:charge|chrg|charg|chg|multiplicity|multip|mult|uhf|unpaired|nopen|spin
            |magmom|nupdown|ladung|carga|carica|multipliz|electron|nelec|elektron)[a-z0-9_äé-]*
        (?:[ ](?:multiplicity|electrons|state|totale?)\b)?
        |q|qtot|q_tot|tot_q|chg|crg|2s\+1|2s)(?![a-z0-9_+])""",
    re.IGNORECASE | re.VERBOSE,
)
MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
PAIR = re.compile(r"^[^\w+-]*(?:xyz\w*\s+)?([+-]?\d)\s*[,\s]\s*([1-9])\W*$", re.IGNORECASE)
"""Charge and multiplicity alone on a line, as Gaussian and ORCA want them."""

NAMED_PAIR = re.compile(
    r"\bcharge\W*(?:and\W*)?(?:spin\W*)?mult\w*\W*?([+-]?\d+)[\s,/;]+(\d+)", re.IGNORECASE
)

LONE = re.compile(r"^\s*(?:[+-]\d|\d[+-])(?=\s*$|[\s,;:/|]+[1-9](?![.\w]))")


def said_in(text: str, where: str) -> Iterator[Statement]:
    """What a line of free text says, for sure or not.

    Parameters
    ----------
    text : str
    where : str
        Named in errors and warnings.
    """
    text = text.translate(MINUS)
    if pair := NAMED_PAIR.search(text):
        words = f"{pair.group()!r} in {where}"
        yield Statement("charge", words, int(pair[1]))
        yield Statement("multiplicity", words, int(pair[2]))
    else:
        yield from _said_by_name(text, where, numbers_only=False)
        yield from _said_without_name(text, where)


def clearly_said_in(text: str, where: str) -> Iterator[Statement]:
    """Names with numbers in a text that holds much else, such as the input of a program."""
    yield from _said_by_name(text.translate(MINUS), where, numbers_only=True)


def doubts_in(text: str, where: str) -> Iterator[Statement]:
    """Ions and radicals by name, formula, SMILES or InChI: named, as no number is certain."""
    text = text.translate(MINUS)
    unsure = [(pattern, "charge") for pattern in (LONE, SIGNED, GLUED, ION_WORDS, ION_FORMULA)]
    unsure += [(pattern, "multiplicity") for pattern in (OPEN_WORDS, SPIN_SYMBOL)]
    for pattern, quantity in unsure:
        if found := pattern.search(text):
            words = f"{found.group().strip()!r} in {where}"
            yield Statement(quantity, words, doubt=f"looks like a {quantity} without a clear value")
    yield from ions_in(text, where)


def ions_in(text: str, where: str) -> Iterator[Statement]:
    """Charges of a SMILES or InChI."""
    for pattern in (ION_SMILES, ION_INCHI):
        if total := sum(_integer(sign) for sign in pattern.findall(text)):
            words = f"an ion's SMILES or InChI in {where}"
            yield Statement("charge", words, doubt=f"looks like a charge of {total}")


def _said_by_name(text: str, where: str, numbers_only: bool) -> Iterator[Statement]:
    for match in NAME.finditer(text):
        before = re.search(r"([A-Za-z]+)\W{0,2}$", text[: match.start()][-40:])
        found = VALUE.match(text, match.end())
        assert found is not None
        value, sign, name = found["number"], found["sign"], _plain(match["name"])
        if (before and OTHER.search(before[1])) or (value is None and numbers_only):
            continue
        if not sign and (name in SHORT | SPIN | ELECTRONS or (value is None and name not in BARE)):
            continue
        words = f"{text[match.start() : found.end()].strip()!r} in {where}"
        given = value if value is not None else found["word"] if "=" in sign else ""
        for s in named(match["name"], given, words):
            if "=" not in sign:
                s = replace(s, fatal=False)
            if sign or s.value is None or (s.quantity, s.value) == ("multiplicity", 1):
                yield s
            else:
                yield replace(s, doubt=f"the {s.quantity} is taken as {s.value} from {words}")


def _said_without_name(text: str, where: str) -> Iterator[Statement]:
    """Charge and multiplicity alone, and what may be meant as one."""
    if pair := PAIR.match(text):
        charge, multiplicity = int(pair[1]), int(pair[2])
        words = f"{text.strip()!r} in {where}"
        doubt = f"{words} is read as charge and multiplicity" if charge or multiplicity > 1 else ""
        yield Statement("charge", words, charge, doubt)
        yield Statement("multiplicity", words, multiplicity)
    yield from doubts_in(text, where)


def named(name: str, value: object, words: str) -> Iterator[Statement]:
    """What a named value says; nothing if the name has nothing to do with electrons.

    Parameters
    ----------
    name : str
        Capitals, underscores and spaces do not count.
    value : object
        Number or text.
    words : str
        How and where it is said.
    """
    plain, number = _plain(name), _number(value)
    integer = int(number) if number is not None and number.is_integer() else None
    unclear = "looks like a {} without a clear value"
    if plain in CHARGE:
        if integer is not None:
            yield Statement("charge", words, integer)
        elif plain in SHORT or value == "":
            yield Statement("charge", words, doubt=unclear.format("charge"))
        else:
            doubt = f"the charge {short(value)} is not an integer"
            yield Statement("charge", words, doubt=doubt, fatal=True)
    elif plain in MULTIPLICITY | UNPAIRED | SPIN:
        spin = SPIN_WORDS.get(str(value).strip().lower())
        if spin is None and plain in SPIN:
            spin = _multiplicity(number)
        elif spin is None and integer is not None:
            spin = integer + (plain in UNPAIRED)
        if spin is not None and spin > 0:
            yield Statement("multiplicity", words, spin)
        elif number is not None:
            doubt = f"{short(value)} is no multiplicity"
            if plain in SPIN:
                doubt = f"a spin of {short(value)} may be S, 2 S or a multiplicity"
            yield Statement("multiplicity", words, doubt=doubt, fatal=True)
        elif not isinstance(value, str) or plain not in ("mult", "multip", *SPIN):
            yield Statement("multiplicity", words, doubt=unclear.format("multiplicity"))
    elif plain in MOMENT and number is not None and abs(number) > 0.05:
        yield Statement("multiplicity", words, doubt=unclear.format("multiplicity"))
    elif plain in ELECTRONS and number is not None:
        yield Statement("electrons", words, integer)
    elif re.search("charg|chrg|chg|ladung|carga", plain) and number and not OTHER.search(plain):
        yield Statement("charge", words, doubt=unclear.format("charge"))
    elif "multiplicity" in plain and number is not None:
        yield Statement("multiplicity", words, doubt=unclear.format("multiplicity"))


def _multiplicity(spin: float | None) -> int | None:
    """Multiplicity of a spin; only zero and half-integers cannot be meant as 2 S or 2 S + 1."""
    if spin is None or spin < 0.0 or (spin and spin % 1.0 != 0.5):
        return None
    return round(2.0 * spin) + 1


def is_charge(name: str) -> bool:
    """Whether a column of this name holds charges of atoms."""
    plain = _plain(name)
    return "charg" in plain or plain in CHARGE


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def short(value: object) -> str:
    """A value in one short line."""
    return " ".join(str(value).split())[:40]


def _number(value: object) -> float | None:
    """Number in a value; signs may follow it, as in ``2-``."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, int | float | np.number):
        return float(value)
    text = str(value).translate(MINUS).strip().strip("\"'()[]{}")
    text = re.sub(r"(?<=[\d.])e$", "", re.sub(r"^([+-])\s", r"\1", text))
    if re.fullmatch(r"[\d.]+[+-]", text):
        text = text[-1] + text[:-1]
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _integer(sign: str) -> int:
    """Charge of an atom in a SMILES: ``-``, ``++``, ``+2``."""
    return int(sign) if sign[1:].isdigit() else len(sign) * int(f"{sign[0]}1")
