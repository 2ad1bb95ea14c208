"""Which distributions stand behind what is loaded."""

from __future__ import annotations

from jupyter_slipway.publish.inside.distributions import loaded


def test_loaded_names_distributions_and_what_they_need():
    import sklearn

    found = {one["name"]: one for one in loaded()}

    assert found["scikit-learn"]["version"] == sklearn.__version__
    assert found["scikit-learn"]["imports"] == ["sklearn"]
    assert "scipy" in found["scikit-learn"]["requires"]
    assert {"scipy", "threadpoolctl"} <= found.keys()
