import math

import pytest

pytest.importorskip("fastapi", reason="the extra web is not installed")

from mendpix.errors import InputError
from mendpix.web.settings import Settings, is_loopback, make_token, own_names


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_upload_mb": 0},
        {"deadline_s": -1},
        {"deadline_s": math.nan},
        {"keep_mb": math.inf},
        {"max_megapixels": 201},
        {"port": 70000},
        {"queue": -1},
        {"workers": 0},
        {"token": "short"},
        {"token": "with; semicolon and space"},
        {"allow_hosts": ("https://photos.example.org",)},
        {"allow_hosts": ("photos.example.org:443",)},
        {"allow_hosts": ("photos.example.org/app",)},
        {"allow_hosts": ("*",)},
        {"allow_hosts": ("",)},
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(wrong):
    with pytest.raises(InputError, match=r"got .*\."):
        Settings(**wrong)


def test_a_token_does_not_show_in_the_settings():
    assert "secret" not in repr(Settings(token="secret-secret"))


def test_tokens_cannot_be_guessed():
    assert len({make_token() for _ in range(100)}) == 100
    assert all(Settings(token=make_token()).token for _ in range(100))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"])
def test_this_machine_is_recognised(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "localhost.example.org", "", "127.0.0.1.example.org"])
def test_other_machines_are_not_taken_for_this_one(host):
    assert not is_loopback(host)


def test_only_names_that_were_allowed_are_its_own():
    assert own_names(Settings()) == {"localhost", "localhost.localdomain", "127.0.0.1"}
    assert "photos.example.org" in own_names(Settings(allow_hosts=("Photos.Example.org",)))
    assert own_names(Settings(allow_hosts=("[2001:db8::1]",))) >= {"2001:db8::1"}


def test_another_name_means_that_others_are_let_in():
    """A proxy on this machine passes on what comes from anywhere."""
    assert Settings().is_local
    assert Settings(host="::1", allow_hosts=("LOCALHOST", "127.0.0.2")).is_local
    assert not Settings(allow_hosts=("photos.example.org",)).is_local
    assert not Settings(host="0.0.0.0").is_local
