"""The data folder, as the settings make it."""

import pytest

from tests.llm_site.system.rich_site import manage


@pytest.mark.parametrize("was_there", [True, False])
def test_the_data_folder_is_nobody_elses_to_read(tmp_path, was_there):
    folder = tmp_path / "data"
    if was_there:
        folder.mkdir(mode=0o755)
    assert manage(folder, "prepare").returncode == 0
    assert folder.stat().st_mode & 0o777 == 0o700
