"""The network that repairs itself: twelve agents score a Space Shuttle's telemetry, and things go wrong.

Twelve processes, each a node with four agents: `Membership` (who is alive), `Detection` (who is not what it should
be), `Healer` (what to do about it) and a `Scorer` (the work, shard by shard, with its state checkpointed). Three
nats-servers in a cluster. While they work, the demo kills one, stops one, has one lie and one slow down, kills the
broker that leads the streams, and cuts a third of them off. The answer must be that of a plain loop, record for record.

``make heal``, or ``python -m examples.selfhealing``. Read in this order: `scoring` (the work), `scorer` and `worker`
(the program that survives), `mischief` and `faults` (what goes wrong), `answer` and `ledger` (what is right), `outcome`
(what is measured). The rest starts processes and draws pictures.
"""
