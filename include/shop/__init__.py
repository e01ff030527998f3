"""The sample shop: the programs, images and manifests that the procedures work on."""
