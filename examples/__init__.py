"""Complete uses of the emulator; nothing in the emulator imports them."""
