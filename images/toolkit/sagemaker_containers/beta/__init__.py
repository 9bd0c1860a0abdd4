"""Where scripts import `framework` from."""
