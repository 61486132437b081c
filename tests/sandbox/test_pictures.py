"""Files that are made out of a recipe: somebody else's readers open them, and they are as long as they should be."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from manabackup.sandbox.exif import Camera, told_of, write_exif
from manabackup.sandbox.pictures import Recipe, recipe
from manabackup.sandbox.sniffing import by_magic, look

CAMERAS = st.builds(
    Camera,
    make=st.sampled_from(("Fictoria", "A")),
    model=st.text("abc 7", min_size=1).filter(lambda text: text == text.strip()),
    taken=st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
    focal_mm=st.integers(1, 2_000),
    aperture=st.tuples(st.integers(1, 400), st.just(10)),
    iso=st.integers(1, 65_535),
    exposure=st.tuples(st.just(1), st.integers(2, 8_000)),
    orientation=st.integers(1, 8),
    place=st.none()
    | st.tuples(st.integers(-9_000, 9_000), st.integers(-18_000, 18_000)).map(lambda at: (at[0] / 100, at[1] / 100)),
)
PICTURES = st.builds(
    Recipe,
    kind=st.sampled_from(("jpeg", "png", "webp")),
    seed=st.integers(0, 2**32),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    alpha=st.booleans(),
    camera=st.none() | CAMERAS,
)


@given(made=PICTURES, more=st.sampled_from((0, 12, 13, 65_537, 65_541, 200_000)))
def test_pictures_are_read_by_others_at_any_size_in_pixels_and_bytes(made: Recipe, more: int) -> None:
    least = len(made.make())
    sized = Recipe(made.kind, made.seed, made.width, made.height, least + more, made.alpha, made.camera)
    body = sized.make()
    assert len(body) == least + more
    with Image.open(io.BytesIO(body)) as picture:
        picture.load()
        assert picture.size == (made.width, made.height)
        assert picture.format == made.kind.upper()
        assert (picture.mode == "RGBA") == (made.alpha and made.kind != "jpeg")
    seen = look(body, by_magic(body))
    assert seen is not None
    assert (seen.width, seen.height, seen.format) == (made.width, made.height, made.kind)
    assert bool(seen.exif) == (made.camera is not None and made.kind == "jpeg")


@given(PICTURES)
def test_a_recipe_is_the_same_after_it_was_written_down(made: Recipe) -> None:
    assert recipe(made.text()) == made
    assert made.make() == recipe(made.text()).make()


@given(CAMERAS)
def test_exif_says_to_others_and_to_the_service_what_was_written(camera: Camera) -> None:
    body = Recipe("jpeg", 1, 8, 8, camera=camera).make()
    with Image.open(io.BytesIO(body)) as picture:
        exif = picture.getexif()
    assert exif[ExifTags.Base.Make] == camera.make
    assert exif[ExifTags.Base.Orientation] == camera.orientation
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    assert inner[ExifTags.Base.DateTimeOriginal] == f"{camera.taken:%Y:%m:%d %H:%M:%S}"
    assert inner[ExifTags.Base.ISOSpeedRatings] == camera.iso
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    told = told_of(write_exif(camera))
    assert told["cameraMake"] == camera.make
    assert told["dateTaken"] == f"{camera.taken:%Y-%m-%dT%H:%M:%S}.000Z"
    assert told["exposureTime"] == f"1/{camera.exposure[1]}"
    assert (camera.place is not None) == bool(place) == ("gpsLatitude" in told)
    if camera.place is not None:
        assert float(str(told["gpsLatitude"])) == pytest.approx(camera.place[0], abs=1e-5)
        assert float(str(told["gpsLongitude"])) == pytest.approx(camera.place[1], abs=1e-5)


@given(st.binary(max_size=300), st.sampled_from(("image/jpeg", "image/png", "image/webp", "image/avif", "image/gif")))
def test_no_bytes_upset_who_looks_at_them(body: bytes, kind: str) -> None:
    look(body, kind)
    told_of(body)


@given(PICTURES, st.integers(0, 400), st.integers(0, 255))
def test_no_damage_upsets_who_looks_at_a_picture(made: Recipe, at: int, byte: int) -> None:
    body = made.make()
    at %= len(body)
    look(body[:at], by_magic(body))
    look(body[:at] + bytes((byte,)) + body[at + 1 :], by_magic(body))


@pytest.mark.parametrize(("kind", "magic"), [("pdf", b"%PDF-1.4"), ("mp3", b"ID3\4")])
@pytest.mark.parametrize("size", [0, 9_000, 12_345, 300_001])
def test_documents_and_songs_are_as_long_as_they_should_be(
    kind: Literal["pdf", "mp3"], magic: bytes, size: int
) -> None:
    body = Recipe(kind, 3, size=size).make()
    assert body.startswith(magic)
    assert size in (0, len(body))


def test_too_few_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        Recipe("jpeg", 1, 640, 480, 100).make()
