"""The advisor: which technique fits, reasoned from rules and measured figures."""
