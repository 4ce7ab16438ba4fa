"""The protocols of other clients, each in a package of its own that knows no other one."""
