"""For tests of what a layer keeps in Redis: they say nothing of a form that keeps nothing there."""

import pytest
from layer_forms import chosen_form

of_stored_layers = pytest.mark.skipif(not chosen_form().stores, reason="a pub/sub layer stores nothing")
