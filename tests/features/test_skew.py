from features.skew import same, skew

ROW = {"n": 3, "price": 0.1, "items": ["a", "b"], "none": None}


def test_equal_rows_have_no_mismatch_whatever_the_store_made_of_them():
    online = {"ann": ROW | {"price": 0.1 + 1e-9, "items": ("a", "b"), "none": float("nan")}}
    found = skew(online, {"ann": ROW}, list(ROW))
    assert (found.checked, found.mismatches, found.examples) == (1, 0, ())


def test_each_value_that_differs_is_counted_and_named():
    online = {"ann": ROW | {"n": 4, "items": ["b", "a"]}}
    found = skew(online, {"ann": ROW, "bob": {"n": 1}}, list(ROW))
    assert found.checked == 2
    assert {(one.key, one.feature) for one in found.examples} == {
        ("ann", "n"), ("ann", "items"), ("bob", "n"),
    }  # fmt: skip
    assert found.mismatches == 3


def test_nothing_is_like_nothing_and_like_no_zero():
    assert same(None, [])
    assert not same(None, 0)
    assert not same(0, None)
    assert not same("1", 1)
    assert same([1.0, None], [1, float("nan")])
