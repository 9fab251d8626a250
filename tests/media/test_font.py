import unicodedata

import cv2
import numpy as np
import pytest

from mien.media.font import LINE_HEIGHT, text_coverage, text_width


def test_accents_greek_and_cyrillic_are_letters_of_their_own():
    for text in ("ÄÖÜäöüß", "éèêçñåøæœ", "ŽžŁłőğİı", "ΑΩαωάή", "ЖЯжяёії", "Ấợ", "№€%?"):
        pictures = {text_coverage(letter, 24).tobytes() for letter in text}
        assert len(pictures) == len(text)
        assert text_coverage("\U0010ffff", 24).tobytes() not in pictures


def test_both_spellings_of_an_accent_look_alike():
    composed, decomposed = (unicodedata.normalize(form, "Überrascht") for form in ("NFC", "NFD"))
    assert len(composed) != len(decomposed)
    np.testing.assert_array_equal(text_coverage(composed, 20), text_coverage(decomposed, 20))


def test_what_the_font_lacks_is_an_empty_box_each():
    assert text_width("怒り") == 2 * text_width("怒") > 0
    assert text_coverage("怒", 40)[20:30, 12:16].max() == 0, "its middle"


@pytest.mark.parametrize(("letter", "holes"), [("O", 1), ("8", 2), ("4", 1), ("t", 0), ("Ł", 0)])
def test_letters_have_their_holes_and_none_where_strokes_cross(letter, holes):
    background = np.pad(text_coverage(letter, 64) < 128, 1, constant_values=True)
    areas = cv2.connectedComponents(background.astype(np.uint8), connectivity=4)[0] - 1
    assert areas - 1 == holes


@pytest.mark.parametrize("em_px", [1, 7, 22, 130])
def test_a_line_is_as_large_as_it_says(em_px):
    coverage = text_coverage("Jubel, fj 100%", em_px)
    assert coverage.shape[0] == int(np.ceil(LINE_HEIGHT * em_px))
    assert coverage.shape[1] == int(np.ceil(text_width("Jubel, fj 100%") * em_px))
    assert coverage.max() > 60


def test_a_percentage_that_changes_moves_nothing():
    assert len({round(text_width(f"Happy {share}%"), 6) for share in range(10, 100)}) == 1


def test_an_empty_line_can_be_drawn():
    assert text_coverage("", 20).shape == (30, 0)
    assert text_width("\n\t​") == 0
