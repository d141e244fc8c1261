"""Untrusted safetensors headers: hostile ones are refused in one sentence, whole ones are read."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.lora.importing.header import FileLimits, read_header
from tests.pipeline.lora.importing.hostile_files import F32, corpus, file_of

CORPUS = list(corpus())
LIMITS = FileLimits()


def _write(folder: Path, content: bytes) -> Path:
    path = folder / "lora.safetensors"
    path.write_bytes(content)
    return path


class TestHostileFiles:
    """Files that are no LoRAs."""

    def test_the_corpus_is_as_large_as_promised(self) -> None:
        """The corpus holds at least 60 different files."""
        assert len({content for _, content, _ in CORPUS}) >= 60

    @pytest.mark.parametrize(("content", "words"), [pytest.param(c, w, id=n) for n, c, w in CORPUS])
    def test_each_is_refused_in_one_sentence_that_fits_it(self, tmp_path: Path, content: bytes, words: str) -> None:
        """A hostile file costs one sentence of at most 200 characters that says what it is."""
        with pytest.raises(UserError) as caught:
            read_header(_write(tmp_path, content), LIMITS)

        assert words in str(caught.value)
        assert len(str(caught.value)) <= 200
        assert "\n" not in str(caught.value)

    def test_all_together_leave_nothing_in_memory(self, tmp_path: Path) -> None:
        """Refusing the whole corpus twice grows Python's memory by less than 64 KiB the second time."""
        tracemalloc.start()
        try:
            _refuse_all(tmp_path)
            before, _ = tracemalloc.get_traced_memory()
            _refuse_all(tmp_path)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert after - before < 64 * 1024

    def test_a_file_over_the_limit_is_refused_by_its_size(self, tmp_path: Path) -> None:
        """A file larger than the setting is refused before it is opened."""
        with pytest.raises(UserError, match="up to 8 here"):
            read_header(_write(tmp_path, bytes(9)), FileLimits(bytes=8))


class TestWholeFiles:
    """Files that must not be refused."""

    def test_a_header_that_begins_like_a_pickle_is_read(self, tmp_path: Path) -> None:
        """A header of 640 bytes (80 02 in the file, a pickle's first bytes) is judged by its brace."""
        text = json.dumps({"a": F32}).encode()
        file = read_header(_write(tmp_path, file_of(text.ljust(640), bytes(16))), LIMITS)

        assert list(file.tensors) == ["a"]
        assert file.data_start == 648

    def test_a_number_without_dimensions_is_a_tensor(self, tmp_path: Path) -> None:
        """An alpha is stored with an empty shape."""
        entry = {"dtype": "BF16", "shape": [], "data_offsets": [0, 2]}

        assert (
            read_header(_write(tmp_path, file_of({"a.alpha": entry}, bytes(2))), LIMITS).tensors["a.alpha"].shape == ()
        )


class TestFuzz:
    """Headers that nobody thought of."""

    @given(content=st.binary(max_size=300))
    def test_any_bytes_are_read_or_refused(self, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
        """Random bytes raise UserError and nothing else."""
        _survive(_folder(tmp_path_factory), content)

    @given(
        header=st.dictionaries(
            st.sampled_from(["a", "b", "__metadata__", ""]) | st.text(max_size=5),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                max_leaves=5,
            )
            | st.fixed_dictionaries(
                {
                    "dtype": st.sampled_from(["F32", "F16", "BF16", "U8", "f32", ""]),
                    "shape": st.lists(st.integers(-1, 70_000), max_size=3),
                    "data_offsets": st.lists(st.integers(-1, 40), min_size=1, max_size=3),
                }
            ),
            max_size=4,
        ),
        data=st.integers(0, 40),
    )
    def test_any_json_is_read_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, header: dict[str, object], data: int
    ) -> None:
        """Any JSON in the header's place raises UserError or yields tensors that cover the data once each."""
        _survive(_folder(tmp_path_factory), file_of(header, bytes(data)))

    @given(place=st.integers(0, 80), byte=st.integers(0, 255))
    def test_any_flipped_byte_is_read_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
    ) -> None:
        """A whole file with one byte changed raises UserError or is still whole."""
        content = bytearray(file_of({"a": F32}, bytes(16)))
        content[place % len(content)] = byte
        _survive(_folder(tmp_path_factory), bytes(content))


def _folder(factory: pytest.TempPathFactory) -> Path:
    folder = factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    return folder


def _survive(folder: Path, content: bytes) -> None:
    with suppress(UserError):
        file = read_header(_write(folder, content), LIMITS)
        covered = sum(tensor.end - tensor.start for tensor in file.tensors.values())
        assert file.data_start + covered == len(content)


def _refuse_all(folder: Path) -> None:
    for _, content, _ in CORPUS:
        with pytest.raises(UserError):
            read_header(_write(folder, content), LIMITS)
