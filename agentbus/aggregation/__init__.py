"""What a fleet knows of itself with nobody in the middle: gossiped counts, means, extrema and quantiles."""
