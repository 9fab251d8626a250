"""Signals that come while something must not be interrupted."""

import signal
import threading

import pytest

from mien.core.signals import signals_held_back


def held_back(done, times):
    """Take Ctrl-C so often before something is done."""
    with signals_held_back():
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        done.append("all")


@pytest.mark.parametrize(("times", "expected"), [(1, ["all"]), (2, [])])
def test_ctrl_c_is_heeded_at_the_end_and_the_second_one_at_once(times, expected):
    done = []
    with pytest.raises(KeyboardInterrupt):
        held_back(done, times)
    assert done == expected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_was_put_in_place_meanwhile_is_taken_out():
    before = signal.getsignal(signal.SIGTERM)
    with signals_held_back():
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals_held_back():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_than_the_main_one_gets_no_signals():
    done = []

    def work():
        with signals_held_back():
            done.append("all")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["all"]
