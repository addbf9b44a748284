"""What every suite shares."""

from __future__ import annotations

from hypothesis import settings

# Examples are not timed: on a busy machine any one of them can take a second without anything being wrong.
settings.register_profile("ionet", deadline=None)
settings.load_profile("ionet")
