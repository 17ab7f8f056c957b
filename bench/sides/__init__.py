"""What is measured, one module a tool: coroutine functions that `bench.child` runs in processes of their own.

Both sides of a comparison have the same shape: what waits for messages says ``ready``, what sends waits to be told to
go, and times are this machine's monotonic clock, which its processes share.
"""
