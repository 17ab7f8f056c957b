"""Energy: sixteen households trade what their roofs make, for one day, in steps of a quarter of an hour.

Some have solar panels, some a battery too, some neither. What a household makes and does not need, it can sell to the
grid, at a low price; what it needs and does not make, it can buy from the grid, at a high one. Between the two prices
neighbours do better with one another. An auctioneer calls each quarter of an hour, in three rounds, and matches orders
by continuous double auction; what is left over goes to the grid.

At noon one of them fails: its node is stopped with an order in the book. The order lapses, the market goes on.

The day is lived three times: each on its own; with the market; with the market and the failure. Energy is in whole Wh,
prices in whole hundredths of a cent a kWh: no Wh and no cent is lost, and the books are checked to the last of both::

    python -m examples.energy
    python -m examples.energy --seed 7 --fail none --svg energy.svg
"""
