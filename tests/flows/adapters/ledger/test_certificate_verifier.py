"""The verifier of portable certificates: what it recomputes, what it refuses, and that it stands alone."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.adapters.ledger import certificate_verifier as verifier
from flows.adapters.ledger.certificate_key import CertificateKey
from flows.adapters.ledger.certificate_verifier import verify
from models.boundary.sequence.look_table import look_table
from tests.portable_certificates import FORGER, KEY, NOW, Change, certificate, changed, signed

SHOWN = (1, 2, 3, 6, 11, 15, 21, 30)


def test_the_published_table_to_the_digit() -> None:
    """METHODS 1.2, "Table to reproduce", without NumPy or SciPy."""
    sizes, allowed, _ = verifier.look_table(3600, 0.01, 0.035, 1.05, 0.6079271018540267, 30)
    assert [sizes[look - 1] for look in SHOWN] == [3600, 3780, 3969, 4595, 5865, 7128, 9552, 14819]
    assert [allowed[look - 1] for look in SHOWN] == [23, 25, 26, 30, 39, 50, 69, 114]


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(1, 4_000),
    share=st.floats(0.001, 0.6),
    delta=st.floats(1e-5, 0.2),
    phi=st.floats(0.05, 1.0),
    looks=st.integers(1, 12),
)
def test_the_table_is_that_of_the_loop(
    first: int, share: float, delta: float, phi: float, looks: int
) -> None:
    """Sizes and errors allowed alike, spending to the last digits: two implementations, one with
    factorials and one with ratios of neighbours."""
    ours = look_table(first, share, delta, phi=phi, looks=60)
    sizes, allowed, spent = verifier.look_table(first, share, delta, 1.05, phi, looks)
    assert sizes == list(ours.sizes[:looks])
    assert allowed == list(ours.allowed[:looks])
    assert spent == pytest.approx(ours.spent_by_look[:looks], rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("seed", "public", "message", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_signatures_are_those_of_rfc_8032(
    seed: str, public: str, message: str, signature: str
) -> None:
    """Section 7.1, tests 1 to 3; and no other message, signature or key."""
    key, text, told = (
        CertificateKey(bytes.fromhex(seed)),
        bytes.fromhex(message),
        bytes.fromhex(signature),
    )
    assert key.public.hex() == public
    assert key.sign(text).hex() == signature
    assert verifier.is_signed(key.public, text, told)
    assert not verifier.is_signed(key.public, text + b"x", told)
    assert not verifier.is_signed(FORGER.public, text, told)
    raised = int.from_bytes(told[32:], "little") + verifier.ORDER  # the same modulo the order
    assert not verifier.is_signed(key.public, text, told[:32] + raised.to_bytes(32, "little"))
    assert not verifier.is_signed(key.public, text, told[:63])


def test_an_honest_certificate_holds() -> None:
    """And says so in sentences that name its numbers."""
    text = signed(certificate())
    assert verify(text, NOW, KEY) == []
    told = " ".join(verifier.summary(text))
    assert "pass at or below 0.2, block at or above 0.9" in told
    assert "recall: 25 errors among 3,780 cases, 25 allowed." in told
    assert "precision: 9 errors among 600 cases" in told


def _look(place: int, part: int, value: float) -> Change:
    def change(told: dict[str, Any]) -> None:
        told["proofs"][0]["steps"][0]["looks"][place][part] = value

    return change


def _both(name: str, value: object) -> Change:
    """The same change in the policy and beside it, and the policy's own name."""

    def change(told: dict[str, Any]) -> None:
        told["boundary"][name] = told["policy"]["boundary"][name] = value
        told["policy_id"] = verifier.hashlib.sha256(verifier.canonical(told["policy"])).hexdigest()

    return change


TAMPERED: list[tuple[str, Change, str]] = [
    ("errors beyond what is allowed", _look(1, 3, 26), "no look shows as few errors as it may"),
    ("errors that cannot be", _look(1, 3, 23), "look 2 counts 23 errors, which cannot be"),
    ("a limit raised", _look(1, 1, 40), "look 2 says 40 errors of 3780 .* it allows 25"),
    ("a smaller sample", _look(0, 0, 2000), "look 1 says 2.* of 2000"),
    ("spending told smaller", _look(1, 2, 0.001), "at 0.001 spent; computed again"),
    ("phi", lambda t: t["proofs"][0]["steps"][0].update(phi=1.0), "computed again it allows"),
    ("growth", lambda t: t.update(growth=1.5), "computed again it allows"),
    ("a looser limit", lambda t: t["proofs"][0].update(limit=0.05), "recall: its proof allows an error share"),
    ("more delta for a proof", lambda t: t["proofs"][0].update(delta=0.5), "spend more error probability"),
    ("more delta to spend", lambda t: t["delta"].update(spendable=0.5), "spend more error probability"),
    ("shares above the whole", lambda t: t["delta"]["shares"].update(recall=0.05), "spend more error"),
    ("a wider boundary beside the policy", lambda t: t["boundary"].update(pass_at_or_below=0.4),
     "Its boundary is not the one of its policy"),
    ("a wider boundary in the policy", lambda t: t["policy"]["boundary"].update(pass_at_or_below=0.4),
     "Its policy id is not the SHA-256 of its policy"),
    ("a wider boundary in both", _both("pass_at_or_below", 0.4), "not of the boundary's cut 0.4"),
    ("a block side further out", _both("block_at_or_above", 0.5), "not of the boundary's cut 0.5"),
    ("another model", lambda t: t.update(model_digest="a" * 64), "model digest is not the one of its policy"),
    ("another case type", lambda t: t.update(case_type="ato"), "case type is not the one of its policy"),
    ("a promise without a proof", lambda t: t["proofs"].pop(), "its block side without a proof"),
    ("a promise given up", lambda t: (t["proofs"].pop(), t["targets"].pop("precision")),
     "Nothing is promised of block_at_or_above"),
    ("a proof twice", lambda t: t["proofs"].append(t["proofs"][0]), "recall is proven twice"),
    ("a step beyond the last one", lambda t: t["proofs"][1]["steps"][0].update(cut=0.85),
     "precision: its proof is not of the boundary's cut"),
    ("steps out of order", lambda t: t["proofs"][1]["steps"].reverse(), "not of the boundary's cut"),
    ("no look at all", lambda t: t["proofs"][0]["steps"][0].update(looks=[]), "has 0 looks"),
    ("a digest of nothing", lambda t: t["evidence"].update(cohort_sha256="none"), "cohort_sha256 is no SHA-256"),
    ("a longer life than the policy's", lambda t: (t["policy"].update(valid_until="2026-06-01T00:00:00+00:00")),
     "outlasts its policy"),
    ("issued tomorrow", lambda t: t.update(issued_at="2026-06-14T02:00:00+00:00"), "still to come"),
    ("no time zone", lambda t: t.update(valid_until="2026-08-12T02:00:00"), "has no time zone"),
    ("a share below zero that pays for another", lambda t: (
        t["delta"]["shares"].update(recall=0.9, other=-0.88), t["proofs"][0].update(delta=0.9)),
     "spend more error probability"),
    ("a promise that nothing can prove", lambda t: t["targets"].update(accuracy=0.999),
     "promises accuracy, of which this format has no proof"),
    ("a promise that is no share", lambda t: t["targets"].update(false_omission_rate=7.0),
     "promises false_omission_rate 7.0, which is no share"),
    ("no side at all", lambda t: (t["proofs"].clear(), t["boundary"].update(dict.fromkeys(t["boundary"]))),
     "decides on neither side"),
    ("sides that cross", _both("block_at_or_above", 0.1), "a score can be both"),
    ("a life of years", lambda t: t.update(valid_until="2036-08-12T02:00:00+00:00"), "lasts 90 days at most"),
    ("an end before its beginning", lambda t: t.update(valid_until="2026-05-14T01:00:00+00:00"),
     "lasts 90 days at most"),
    ("looks that all but stand still", lambda t: (
        t.update(growth=1.0 + 1e-12), t["proofs"][0]["steps"][0].update(first=1, looks=[[1, 0, 0.0, 0]] * 400)),
     "grow too slowly"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"), [one[1:] for one in TAMPERED], ids=[o[0] for o in TAMPERED]
)
def test_what_was_changed_is_refused_with_a_sentence_even_signed_anew(
    change: Change, said: str
) -> None:
    """By a forger who computes digest and signature with a key of their own: what is counted again
    gives it away. Without a new signature its digest does; with the issuer's key told, so does the key."""
    document = changed(change)
    wrong = verify(signed(document, FORGER), NOW)
    assert wrong
    assert any(re.search(said, why) for why in wrong), wrong
    kept = {name: json.loads(signed(certificate()))[name] for name in ("digest", "signature")}
    unsigned = verify(json.dumps({**document, **kept}), NOW, KEY)
    assert unsigned
    assert unsigned[0].startswith(("It was changed after it was made", "This is no certificate"))


def test_a_consistent_forgery_is_given_away_by_the_issuers_key_alone() -> None:
    """Whoever invents all counts can sign them; so the key comes by another way, and this says whose."""
    forged = signed(certificate(), FORGER)
    assert verify(forged, NOW) == []
    (why,) = verify(forged, NOW, KEY)
    assert why == f"It is signed by another key than the issuer's: {FORGER.public.hex()}."


def test_it_expires() -> None:
    """At its moment, not a second before."""
    text = signed(certificate())
    end = NOW.replace(month=8, day=12, hour=2)
    assert verify(text, end - timedelta(seconds=1), KEY) == []
    assert verify(text, end, KEY) == ["It expired at 2026-08-12T02:00:00+00:00."]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": 1}', '{"format": "ratchet.certificate/1"}', "NaN", "[" * 100_000],
)
def test_what_is_no_certificate_is_called_so(text: str) -> None:
    (why,) = verify(text, NOW)
    assert why.startswith("This is no certificate of the format ratchet.certificate/1: ")


def test_a_key_that_stands_twice_is_refused() -> None:
    """Two readers might take two different values."""
    text = signed(certificate())
    twice = text.replace(
        '"case_type": "small_case",', '"case_type": "a", "case_type": "small_case",', 1
    )
    assert verify(twice, NOW) == [
        "This is no certificate of the format ratchet.certificate/1: a key stands in it twice."
    ]


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.just([]), st.just({}), st.just([[1, 2, 3, 4]]),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(data=st.data(), odd=ODD)
def test_any_one_value_changed_is_refused_and_nothing_crashes(
    data: st.DataObject, odd: Any
) -> None:
    """Anywhere in the file, and signed anew by a forger: the issuer's key says no at the least."""
    document = certificate()
    inner: Any = document
    while isinstance(inner, dict | list) and inner:
        names = sorted(inner) if isinstance(inner, dict) else range(len(inner))
        place = data.draw(st.sampled_from(list(names)))
        if not isinstance(inner[place], dict | list) or data.draw(st.booleans()):
            break
        inner = inner[place]
    if not inner:
        return
    inner[place] = odd
    assert verify(signed(document, FORGER), NOW, KEY)


@pytest.mark.parametrize("deep", range(900, 1100, 5))
def test_no_depth_of_nesting_crashes(deep: int) -> None:
    """What a reader of JSON still takes, a writer may not."""
    nested = f'"cohort_cases": {"[" * deep}{"]" * deep}'
    text = signed(certificate()).replace('"cohort_cases": 40000', nested)
    assert verify(text, NOW, KEY)


@pytest.mark.parametrize("odd", ["\x1b[2J", "\nIt holds.", "\x9b31m", "\u202e", "\ud800"])
def test_nothing_in_a_file_moves_the_readers_terminal_or_looks_like_a_line(odd: str) -> None:
    """Whoever signs with a key of their own writes the texts; a name with a line break could say "It
    holds." where it does not."""
    for change in (
        lambda told: told.update(speaks_of=odd),
        lambda told: told.update({odd: 1}),
        lambda told: told.update(issued_at=odd),
        lambda told: told["proofs"][0]["steps"][0].update(cut=odd),
    ):
        _, lines = verifier.report(signed(changed(change), FORGER), NOW)
        assert all(line.isprintable() for line in lines)


def test_a_line_is_only_so_long() -> None:
    holds, lines = verifier.report(
        signed(changed(lambda told: told.update(speaks_of="a" * 9_999))), NOW
    )
    assert holds
    assert max(map(len, lines)) < 600


def test_looks_too_large_to_compute_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may ask for hours of work; here for more than a hundred multiplications."""
    monkeypatch.setattr(verifier, "_MOST_WORK", 100)
    (why,) = verify(signed(certificate()), NOW, KEY)
    assert why.endswith("its looks are too large to be computed again.")


def test_it_imports_the_standard_library_alone() -> None:
    """And nothing of ours, so that a copy works anywhere."""
    source = Path(verifier.__file__).read_text(encoding="utf-8")
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize(("change", "code"), [(None, 0), (_look(1, 3, 26), 3)])
def test_a_copy_elsewhere_verifies_without_the_project(
    tmp_path: Path, change: Change | None, code: int
) -> None:
    """Isolated from site packages and this folder; exit codes as the command's."""
    shutil.copy(verifier.__file__, tmp_path / "certificate_verifier.py")
    document = certificate() if change is None else changed(change)
    (tmp_path / "c.json").write_text(signed(document), encoding="utf-8")
    command = [sys.executable, "-I", "-S", "certificate_verifier.py", "c.json", "--key", KEY]
    command += ["--at", NOW.isoformat()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith(
        "It holds." if code == 0 else "Not to be relied on: recall at 0.2"
    )


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (None, (), "No such file"),
        (b"\xff\xfe\x00", (), "can't decode byte"),
        (b"{}", ("--key", "abc"), "'abc' is no public key, which has 64 hex digits"),
        (b"{}", ("--at", "2026-05-14T00:00:00"), "has no time zone"),
        (b"{}", ("--at", "soon"), "'soon'"),
    ],
)
def test_what_cannot_be_read_is_said_and_no_verdict(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    more: tuple[str, ...],
    said: str,
) -> None:
    """Exit code 2, and no traceback: it is not the certificate that is refused."""
    file = tmp_path / "c.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        verifier.main([str(file), *more])
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert "nothing was verified: " in told.err
    assert said in told.err
