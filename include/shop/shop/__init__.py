"""Programs of the sample shop. Standard library only; this package is `/app/shop` in every image."""
