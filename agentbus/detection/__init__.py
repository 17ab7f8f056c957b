"""What is abnormal: streaming detectors, agents that watch one another, and a quorum's verdict."""
