"""What nobody may read is hidden in any spelling, and what helps stays readable."""

from __future__ import annotations

import string
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from configs.masking import _HARMLESS, masked, masked_leaves, secrets_of

SECRET = "hunter2"

HIDDEN = {
    # A table to argue with: what is said, and what is left of it.
    "postgresql+psycopg://ana:hunter2@db.local:5432/x?sslmode=require":
        "postgresql+psycopg://ana:***@db.local:5432/x?sslmode=require",
    "postgresql://ana:hun/ter?2#@x@db/x": "postgresql://ana:***@db/x",
    "postgresql://ana:1234/hunter2@db/x": "postgresql://ana:***@db/x",
    "mysql://:hunter2@db/x": "mysql://:***@db/x",
    "https://hunter2@host/a": "https://***@host/a",
    "https://ana:hunter2@host/a?b=hunter2&c=d#hunter2": "https://***:***@host/a?b=***&c=***#***",
    "s3://b/k.parquet?X-Amz-Signature=hunter2&X-Amz-Credential=a/b&versionId=3":
        "s3://b/k.parquet?X-Amz-Signature=***&X-Amz-Credential=***&versionId=3",
    "simplecache::https://a.blob.core.windows.net/c?sv=2020&sig=hunter2%3D":
        "simplecache::https://a.blob.core.windows.net/c?sv=***&sig=***",
    "gs://b/k?GoogleAccessId=a@b&Signature=hunter2": "gs://b/k?GoogleAccessId=***&Signature=***",
    "https://hooks.example/x?code=hunter2": "https://hooks.example/x?code=***",
    "postgresql%3A%2F%2Fana%3Ahunter2%40db%2Fx": "postgresql%3A%2F%2Fana%3A***%40db%2Fx",
    "http://h/?to=postgresql%3A%2F%2Fa%3Ahunter2%40db": "http://h/?to=***",
    "host=db user=ana password=hunter2 dbname=x": "host=db user=ana password=*** dbname=x",
    "host=db password='hun ter2 \\' x' port=5": "host=db password=*** port=5",
    "host=db password=hun\\ ter2 port=5": "host=db password=*** port=5",
    "Driver={PG};UID=ana;PWD={hunter;2};": "Driver={PG};UID=ana;PWD=***;",
    "AccountName=a;AccountKey=hunter2==;": "AccountName=a;AccountKey=***;",
    "AWS_SECRET_ACCESS_KEY=hunter2": "AWS_SECRET_ACCESS_KEY=***",
    '{"password": "hunter2", "user": "ana"}': '{"password": ***, "user": "ana"}',
    "password: hunter2": "password: ***",
    "Authorization: Bearer hunter2hunter2": "Authorization: Bearer ***",
    "sqlite:///file:/x.db?uri=true&key=hunter2": "sqlite:///file:/x.db?uri=true&key=***",
    "'postgresql://ana:hunter2@db/x', which hangs.": "'postgresql://ana:***@db/x', which hangs.",
}  # fmt: skip

LEFT_ALONE = [
    "The database sqlite:////home/ana/ledger.db stayed locked by another process for 30 s.",
    "sqlite:////tmp/ho?me/ledger.db",
    "write it like sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
    "http://host:8080/a/b.html",
    "file:///tmp/a%3Fb/model.ubj",
    "mlflow-artifacts:/a/b",
    "duckdb:///:memory:",
    "its file has digest e3b0c44298fc, the ledger says b5cc8be37884.",
    "the token: it is short",
    "configs/sources/desk.yaml:3: unknown key 'colum'. Did you mean 'columns'?",
    "RATCHET_DATABASE_URL: holds more than one value; write it on one line.",
    "2 columns are missing: 'propensity', 'policy_id'. Map them under `columns:`.",
    "abs|score - cut| >= 0.5 and monkey=5",
]


@pytest.mark.parametrize("said", HIDDEN)
def test_what_lets_somebody_in_is_hidden_and_the_rest_is_not(said: str) -> None:
    assert masked(said) == HIDDEN[said]


@pytest.mark.parametrize("said", LEFT_ALONE)
def test_what_lets_nobody_in_stays_as_it_is(said: str) -> None:
    assert masked(said) == said


@pytest.mark.parametrize("said", [*HIDDEN, *LEFT_ALONE])
def test_masking_twice_is_masking_once(said: str) -> None:
    assert masked(masked(said)) == masked(said)


# Two signs or more beside `@`-free hosts: one letter could stand anywhere in a sentence.
PASSWORDS = st.text(
    st.sampled_from(string.ascii_letters + string.digits + "!$^*~-_.+=%@/?#&:;,'\"(){}[]<>|é猪"),
    min_size=8,
    max_size=24,
).filter(lambda one: any(sign.isalnum() for sign in one))
SCHEMES = st.sampled_from(
    ["postgresql", "postgresql+psycopg", "mysql", "https", "http", "s3", "abfs", "ftp", "sftp"]
)
USERS = st.text(string.ascii_letters, min_size=1, max_size=8)
SENTENCES = st.sampled_from(["{}", "The database {} is away.", "('{}',)", "a {} b {}"])


@given(SCHEMES, USERS, PASSWORDS, SENTENCES)
@example("postgresql", "ana", "a?b=c@d/e#f:", "{}")
def test_no_password_of_an_address_is_left_however_it_is_written(
    scheme: str, user: str, password: str, sentence: str
) -> None:
    """Plain, percent-encoded, or with plus signs; in the middle of a sentence."""
    for spelled in {password, quote(password, safe=""), quote_plus(password)}:
        assume(spelled not in user)
        address = f"{scheme}://{user}:{spelled}@db.example:5432/name"
        said = masked(sentence.replace("{}", address))
        assert spelled not in said
        assert "db.example" in said


@given(SCHEMES, st.text(string.ascii_letters + "-_", min_size=1, max_size=20), PASSWORDS)
def test_no_unknown_parameter_of_an_address_is_left(scheme: str, name: str, signature: str) -> None:
    """A signature may be called anything."""
    assume(name.lower() not in _HARMLESS)
    value = quote(signature, safe="")
    assume(value not in name and value not in "https://bucket/key?versionId=1&=2020")
    said = masked(f"{scheme}://bucket/key?versionId=1&{name}={value}&x=2020")
    assert value not in said
    assert said.startswith(f"{scheme}://bucket/key?versionId=1&")


@given(PASSWORDS)
def test_what_a_driver_says_about_an_address_is_hidden_by_the_address(password: str) -> None:
    """Drivers repeat a password decoded, in sentences of their own."""
    address = (
        f"postgresql://ana:{quote(password, safe='')}@db/x?sslpassword={quote(password, safe='')}"
    )
    assert secrets_of(address)
    for spelled in (password, quote(password, safe=""), repr(password)[1:-1]):
        assert spelled not in masked(
            f'missing "=" after {spelled} in the string', secrets_of(address)
        )


@given(st.text(max_size=400))
def test_any_text_is_answered(said: str) -> None:
    """Nothing raises, and nothing is masked again and again."""
    once = masked(said)
    assert masked(once) == once or "***" in once


@pytest.mark.parametrize(
    "said", ["a" * 50_000, "a." * 25_000, "token" * 10_000, "://" * 15_000, "a:@" * 15_000,
             "http://" + "a@" * 20_000, "'\"" * 20_000, "password=" * 5_000]
)  # fmt: skip
def test_long_texts_take_no_longer_than_they_are(said: str) -> None:
    """No pattern backtracks over the whole text again and again."""
    started = time.monotonic()
    masked(said)
    assert time.monotonic() - started < 20


def test_leaves_are_masked_and_keys_and_numbers_are_not() -> None:
    """As a dossier holds them."""
    told = {"why": ["postgresql://a:hunter2@h/x", 3], "password": None, "n": {"x": 0.5}}
    assert masked_leaves(told) == {
        "why": ["postgresql://a:***@h/x", 3],
        "password": None,
        "n": {"x": 0.5},
    }
