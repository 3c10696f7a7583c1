"""The newest version whose files are all there and not cut off."""

from ncf_model.serving import whole

WHOLE = bytes([0x12, 0x02, 0x61, 0x62])  # a complete field of two bytes
CUT_OFF = WHOLE[:-1]


def _version(folder, name, content):
    (folder / name).mkdir()
    (folder / name / "saved_model.pb").write_bytes(content)


def test_newest_goes_by_the_number_and_passes_over_what_is_not_whole(tmp_path):
    _version(tmp_path, "9", WHOLE)
    _version(tmp_path, "10", WHOLE)
    _version(tmp_path, "11", CUT_OFF)
    _version(tmp_path, "backup", WHOLE)
    (tmp_path / "12").mkdir()
    assert whole.newest(str(tmp_path)) == str(tmp_path / "10")


def test_there_is_no_newest_where_there_is_none(tmp_path):
    assert whole.newest(str(tmp_path)) is None
    assert whole.newest(str(tmp_path / "nowhere")) is None
