"""What the stand-alone verifier is made of: Ed25519 against RFC 8032 and `cryptography`, the tree against ours, and its reading."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from api import check_bundle
from api.check_bundle import Checkpoint, Refused, ed25519_holds
from domain import merkle
from domain.merkle import Levels, leaf_hash

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_the_signatures_of_rfc_8032_hold_and_nothing_beside_them(vector):
    public, message, signature = (bytes.fromhex(part) for part in vector)
    assert ed25519_holds(public, message, signature)
    assert not ed25519_holds(public, message + b"x", signature)
    for part in (public, signature):
        for place in range(0, len(part), 5):
            other = part[:place] + bytes([part[place] ^ 4]) + part[place + 1 :]
            assert not ed25519_holds(
                *((other, message, signature) if part is public else (public, message, other))
            )
    assert not ed25519_holds(public[1:], message, signature)
    assert not ed25519_holds(public, message, signature[1:])


def test_a_signature_written_with_a_larger_number_does_not_hold():
    public, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    larger = int.from_bytes(signature[32:], "little") + check_bundle.L
    assert not ed25519_holds(public, message, signature[:32] + larger.to_bytes(32, "little"))


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511), st.booleans())
def test_it_agrees_with_cryptography(seed, message, bit, flip):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), bytearray(key.sign(message))
    if flip:
        signature[bit // 8] ^= 1 << bit % 8
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes(signature), message)
        holds = True
    except InvalidSignature:
        holds = False
    assert ed25519_holds(public, message, bytes(signature)) is holds is not flip


@given(st.data())
def test_it_takes_the_proofs_that_we_make_and_no_others(data):
    new = data.draw(st.integers(1, 70))
    leaves = [bytes([n]) * 32 for n in range(new)]
    tree = Levels([leaf_hash(leaf) for leaf in leaves])
    index = data.draw(st.integers(0, new - 1))
    way = [tree.over(part) for part in merkle.inclusion_ranges(index, new)]
    assert check_bundle.root_above(leaves[index], index, new, way) == tree.root
    assert check_bundle.root_above(leaves[index], index, new, [*way, tree.root]) is None
    assert check_bundle.root_above(leaves[index] + b"x", index, new, way) != tree.root
    old = data.draw(st.integers(0, new))
    proof = [tree.over(part) for part in merkle.consistency_ranges(old, new)]
    before, after = (
        Checkpoint("o", size, root, b"", "", "")
        for size, root in ((old, tree.over((0, old))), (new, tree.root))
    )
    assert check_bundle.continues(before, after, proof) is (0 < old < new)
    assert not check_bundle.continues(before._replace(root=b"x"), after, proof)
    assert not check_bundle.continues(before, after._replace(root=b"x"), proof)
    assert not check_bundle.continues(before, after, [*proof, tree.root])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ('{"format": 1, "format": 2}', "stands twice"),
        ('{"events": [{"reads": {"a": 1, "a": 1}}]}', "stands twice"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_cannot_be_read_one_way_only_is_refused(text, why):
    with pytest.raises(Refused, match=why):
        check_bundle.check(check_bundle.load(text))


@pytest.mark.parametrize("value", [None, [], {}, {"format": "anju-proof/1"}, "anju-proof/1", 7])
def test_what_is_no_bundle_is_refused(value):
    with pytest.raises(Refused, match="exactly the fields"):
        check_bundle.check(value)


def test_a_file_that_is_not_there_is_said_so(tmp_path, capsys):
    assert check_bundle.main([str(tmp_path / "none.json")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert check_bundle.main([str(tmp_path), "--json"]) == 1
    assert '"where": "verifier-key.txt"' in capsys.readouterr().out
