"""The provider that is for trying, and needs no key."""
