"""What the product does while things around it break: `docs/testing.md` says what is tried."""
