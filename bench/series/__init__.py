"""The long series of `scripts/bench --peers`: the same load on other servers, judged against the goals."""
