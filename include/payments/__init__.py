"""What becomes of payments while the red button is pressed: held, settled, released, each exactly once."""
