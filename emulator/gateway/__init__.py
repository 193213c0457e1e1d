"""How requests from inside the perimeter reach services, the outside, or a refusal."""
