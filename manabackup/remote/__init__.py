"""The HTTP edge: one transport for each server, and the clients of sign-in, vault, account and sync on top of it."""
