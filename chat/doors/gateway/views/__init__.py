"""The views of the gateway, by the things that they are about."""
