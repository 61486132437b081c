"""The servers that Mana's data lives on, embedded: account service and sync server on one loopback port."""
