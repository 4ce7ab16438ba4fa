"""The provider for trying Holdfast, which needs no key."""
