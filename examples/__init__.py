"""Examples, numbered like a course. Each is one short file that says what it shows, and runs as it is::

    python -m examples.e01_hello              # on the nats-server that agentbus brings along
    python -m examples.e01_hello --url nats://127.0.0.1:4222

1. `e01_hello`: an agent, a request, a reply.
2. `e02_events`: publish, and listen by pattern.
3. `e03_requests`: ask one, ask any, ask all; and what can go wrong.
4. `e04_work_queue`: several workers share the jobs.
5. `e05_durable_orders`: a worker is killed, and no order is lost.
6. `e06_foreign_client`: a program that knows nothing of agentbus calls an agent.
7. `e07_simulation`: test agents in virtual time, with a network that fails.
8. `e08_shuttle`: all together: processes that watch a real sensor stream for anomalies. Also ``make demo``.

Three stories with figures, a page each in docs/guides:

* `examples.couriers`: the same forty jobs under three policies and their mixtures: who earns what, and what is wasted.
* `examples.energy`: households trade what their roofs make by double auction, and one fails at noon.
* `examples.compute`: buyers and providers of compute, with escrow, disputes and reputation; two providers cheat.

`examples.climate` has agents to host with ``agentbus run``.
"""
