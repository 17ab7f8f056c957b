"""What `bench.market` measures, one module a figure, each with its oracle."""
