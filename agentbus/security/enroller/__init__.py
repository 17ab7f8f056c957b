"""The enroller: an agent that admits keys to the realm, and renews what it has issued."""
