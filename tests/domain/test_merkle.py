"""The tree is the one of RFC 6962: against published vectors, and against the recursive definitions of the RFC."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import merkle
from domain.merkle import Levels, leaf_hash, verify_consistency, verify_inclusion

SIZES = range(71)
LEAVES = [bytes([i]) * 32 for i in SIZES]
# The reference tree of Certificate Transparency (its test data, also in transparency-dev/merkle).
VECTOR_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
VECTOR_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
VECTOR_CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def naive_root(leaves):
    """MTH of RFC 6962, 2.1."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = naive_split(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def naive_path(m, leaves):
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = naive_split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m, leaves, whole):
    """SUBPROOF of RFC 6962, 2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = naive_split(len(leaves))
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), naive_root(leaves[:k])]


def tree(leaves):
    return Levels([leaf_hash(leaf) for leaf in leaves])


def inclusion(leaves, index):
    return [tree(leaves).over(part) for part in merkle.inclusion_ranges(index, len(leaves))]


def consistency(leaves, old):
    return [tree(leaves).over(part) for part in merkle.consistency_ranges(old, len(leaves))]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_reference_tree_are_the_published_ones(size):
    assert tree(VECTOR_LEAVES[:size]).root.hex() == VECTOR_ROOTS[size]


@pytest.mark.parametrize(("sizes", "proof"), VECTOR_CONSISTENCY.items())
def test_the_consistency_proofs_of_the_reference_tree_are_the_published_ones(sizes, proof):
    old, new = sizes
    assert [node.hex() for node in consistency(VECTOR_LEAVES[:new], old)] == proof


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_proofs_of_every_size_are_those_of_the_rfc_and_verify(size):
    leaves = LEAVES[:size]
    root = naive_root(leaves)
    assert tree(leaves).root == root
    for index in range(size):
        proof = inclusion(leaves, index)
        assert proof == naive_path(index, leaves)
        assert verify_inclusion(leaf_hash(leaves[index]), index, size, proof, root)
    for old in range(size + 1):
        proof = consistency(leaves, old)
        assert proof == ([] if old == 0 else naive_subproof(old, leaves, True))
        assert verify_consistency(old, size, proof, naive_root(leaves[:old]), root)


@given(st.data())
def test_an_inclusion_proof_holds_for_nothing_else(data):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves, proof = LEAVES[:size], inclusion(LEAVES[:size], index)
    root, leaf = naive_root(leaves), leaf_hash(leaves[index])
    other = data.draw(st.integers(-1, size).filter(lambda i: i != index))
    assert not verify_inclusion(leaf, other, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    assert not verify_inclusion(leaf, index, size, [*proof, root], root)
    assert not verify_inclusion(leaf, index, size, proof, leaf_hash(root))
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        assert not verify_inclusion(leaf, index, size, proof[:place] + proof[place + 1 :], root)
        assert not verify_inclusion(
            leaf, index, size, [*proof[:place], leaf_hash(proof[place]), *proof[place + 1 :]], root
        )


@given(st.data())
def test_a_consistency_proof_holds_for_no_other_log(data):
    new = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, new - 1))
    proof = consistency(LEAVES[:new], old)
    old_root, new_root = naive_root(LEAVES[:old]), naive_root(LEAVES[:new])
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*LEAVES[:changed], b"rewritten", *LEAVES[changed + 1 : new]]
    assert not verify_consistency(old, new, consistency(rewritten, old), old_root, naive_root(rewritten))
    assert not verify_consistency(old, new, proof, old_root, leaf_hash(new_root))
    assert not verify_consistency(old, new, proof, leaf_hash(old_root), new_root)
    assert not verify_consistency(old, new, [*proof, new_root], old_root, new_root)
    assert not verify_consistency(old, new, proof[:-1], old_root, new_root)
    assert not verify_consistency(new, old, proof, new_root, old_root)


@given(st.integers(1, 70), st.sampled_from([1, 2, 4, 8]))
def test_a_tree_over_the_roots_of_complete_subtrees_is_the_same_tree(size, chunk):
    parts = [tree(LEAVES[i : min(i + chunk, size)]).root for i in range(0, size, chunk)]
    assert Levels(parts).root == naive_root(LEAVES[:size])


def test_what_is_not_there_has_no_proof():
    with pytest.raises(ValueError, match="no leaf 3 among 3"):
        merkle.inclusion_ranges(3, 3)
    with pytest.raises(ValueError, match="does not continue"):
        merkle.consistency_ranges(4, 3)
