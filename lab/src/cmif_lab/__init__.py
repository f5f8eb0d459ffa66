"""CMIF's laboratory: experiments, peers, attacks and placements. The product never imports it."""
