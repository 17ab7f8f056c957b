"""Who is alive: SWIM with Lifeguard."""
