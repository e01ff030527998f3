"""The log clean-up beside find, tmpreaper and tar, and its memory with a million files."""
