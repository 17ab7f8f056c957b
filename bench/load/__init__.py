"""The load test: sends to agents on your own server by a schedule, and tells latencies, losses and what the limit was.

``python -m bench.load --url nats://... --rate 5000``. `settings` is what can be asked for; `generator` sends by
`schedule`; `target` has the agents that hear; `latency` keeps histograms; `conductor` starts the processes and adds
up; `verdict` judges what the limit was; `report` tells.

Latencies are taken from when the schedule wanted a message sent, not from when it was sent: a stall of the server
counts for every message that it delayed, also for those that could not be sent meanwhile (no coordinated omission;
G. Tene, "How NOT to measure latency", 2013).
"""
