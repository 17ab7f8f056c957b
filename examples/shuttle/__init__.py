"""Agents in several processes watch the telemetry of a Space Shuttle for anomalies.

The cast, each in a process of its own:

* the `Feeder` (`feeder`) replays the stream, window after window, as durable events;
* several `Detector` (`detector`) share the records of each window, score them and tell one another what they saw;
* the `AlarmDesk` (`desk`) notes one score for each record, and raises alarms.

``make demo``, or ``python -m examples.shuttle``, starts them all, shows how far they are, and checks at the end that
every record has exactly one score. Read `forest` (how a record is scored), `reference` (how what is learned is
shared), `detector`, `feeder` and `desk`; what is left starts processes and draws tables.

By hand, in three shells that share one nats-server (an agent that joins later gets its share of the work)::

    agentbus run examples.shuttle.desk:AlarmDesk --realm shuttle
    agentbus run examples.shuttle.detector:Detector --realm shuttle --name detector-1
    agentbus run examples.shuttle.feeder:Feeder --realm shuttle
"""
