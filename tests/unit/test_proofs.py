"""A URL has one normal form, however it is spelt, and other places have others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.proofs import normal_url

PLACE = "https://keys.example/a/b?q=1"


@pytest.mark.parametrize(
    "spelt",
    [
        PLACE,
        *("HTTPS://keys.example/a/b?q=1", "https://Keys.EXAMPLE/a/b?q=1", "https://keys.example:443/a/b?q=1"),
        *("https://keys.example./a/b?q=1", "https://keys.example:/a/b?q=1", "https://keys.example/./a/x/../b?q=1"),
        *("https://keys.example/../a/%62?q=%31", "https://keys.example/x/%2e%2E/a/b?q=1"),
    ],
)
def test_spellings_of_one_place_have_one_form(spelt: str) -> None:
    assert normal_url(spelt) == PLACE


@pytest.mark.parametrize(
    "url",
    [
        *("http://keys.example/a/b?q=1", "https://keys.example:8443/a/b?q=1", "https://key.example/a/b?q=1"),
        *("https://keys.example/a/b", "https://keys.example/a/b/?q=1", "https://keys.example/a//b?q=1"),
        *("https://keys.example/A/b?q=1", "https://keys.example/a%2Fb?q=1", "https://keys.example/a/b?q=2"),
        "https://keys.example/a/b?q=1&",
    ],
)
def test_another_place_has_another_form(url: str) -> None:
    assert normal_url(url) != PLACE


@pytest.mark.parametrize(
    ("spelt", "normal"),
    [
        ("https://keys.example", "https://keys.example/"),
        ("https://keys.example?", "https://keys.example/"),
        ("https://keys.example/a/..", "https://keys.example/"),
        ("https://keys.example/a/b/.", "https://keys.example/a/b/"),
        ("https://keys.example/a%2fb%3d", "https://keys.example/a%2Fb%3D"),
        ("https://[2606:4700:0:0:0:0:0:1111]:443/", "https://[2606:4700::1111]/"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
    ],
)
def test_the_normal_form_is_that_of_rfc_3986(spelt: str, normal: str) -> None:
    assert normal_url(spelt) == normal


@given(st.text("aA.%2eEfF/?:~", max_size=20))
def test_the_normal_form_is_its_own(path: str) -> None:
    normal = normal_url(f"https://keys.example/{path}")
    assert normal_url(normal) == normal
